// Several readers on one AXI4 master port: addresses in turn, words to whom they belong. All bursts have one ID, so
// memory answers in order.
`default_nettype none
module rtl_axi_read_mux #(
    parameter int COUNT = 2,
    parameter int OUTSTANDING = 32
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire  [COUNT-1:0][63:0] s_araddr,
    input  wire  [COUNT-1:0][7:0] s_arlen,
    input  wire  [COUNT-1:0]      s_arvalid,
    output logic [COUNT-1:0]      s_arready,
    output logic [COUNT-1:0]      s_rvalid,
    input  wire  [COUNT-1:0]      s_rready,
    output wire  [     63:0]      araddr,
    output wire  [      7:0]      arlen,
    output wire                   arvalid,
    input  wire                   arready,
    input  wire                   rlast,
    input  wire                   rvalid,
    output wire                   rready
);
  localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1;

  wire [BITS-1:0] turn, owner;
  wire room, owned;
  assign araddr  = s_araddr[turn];
  assign arlen   = s_arlen[turn];
  assign arvalid = s_arvalid[turn] & room;
  assign rready  = owned & s_rready[owner];

  always_comb begin
    s_arready = '0;
    s_rvalid = '0;
    s_arready[turn] = arready & room;
    s_rvalid[owner] = rvalid & owned;
  end

  rtl_axi_turn #(.COUNT(COUNT), .BITS(BITS)) turn_u (
      .clk(clk), .rst_n(rst_n), .valid(s_arvalid), .taken(arready & room), .turn(turn));
  rtl_fifo #(.WIDTH(BITS), .DEPTH(OUTSTANDING)) owners_u (
      .clk(clk), .rst_n(rst_n), .din(turn), .write(arvalid & arready), .full_n(room),
      .dout(owner), .read(rvalid & rready & rlast), .empty_n(owned));
endmodule
`default_nettype wire
