// Several writers on one AXI4 master port: addresses in turn, words in the order of the addresses, answers to whom they
// belong. All bursts have one ID, so memory answers in order.
`default_nettype none
module rtl_axi_write_mux #(
    parameter int COUNT = 2,
    parameter int BYTES = 4,
    parameter int OUTSTANDING = 32
) (
    input  wire                            clk,
    input  wire                            rst_n,
    input  wire  [COUNT-1:0][        63:0] s_awaddr,
    input  wire  [COUNT-1:0][         7:0] s_awlen,
    input  wire  [COUNT-1:0]               s_awvalid,
    output logic [COUNT-1:0]               s_awready,
    input  wire  [COUNT-1:0][ 8*BYTES-1:0] s_wdata,
    input  wire  [COUNT-1:0][   BYTES-1:0] s_wstrb,
    input  wire  [COUNT-1:0]               s_wlast,
    input  wire  [COUNT-1:0]               s_wvalid,
    output logic [COUNT-1:0]               s_wready,
    output logic [COUNT-1:0]               s_bvalid,
    input  wire  [COUNT-1:0]               s_bready,
    output wire  [     63:0]               awaddr,
    output wire  [      7:0]               awlen,
    output wire                            awvalid,
    input  wire                            awready,
    output wire  [8*BYTES-1:0]             wdata,
    output wire  [  BYTES-1:0]             wstrb,
    output wire                            wlast,
    output wire                            wvalid,
    input  wire                            wready,
    input  wire                            bvalid,
    output wire                            bready
);
  localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1;

  wire [BITS-1:0] turn, writing, answered;
  wire writes, answers, room_words, room_answers;
  wire room = room_words & room_answers;
  assign awaddr  = s_awaddr[turn];
  assign awlen   = s_awlen[turn];
  assign awvalid = s_awvalid[turn] & room;
  assign wdata   = s_wdata[writing];
  assign wstrb   = s_wstrb[writing];
  assign wlast   = s_wlast[writing];
  assign wvalid  = writes & s_wvalid[writing];
  assign bready  = answers & s_bready[answered];

  always_comb begin
    s_awready = '0;
    s_wready = '0;
    s_bvalid = '0;
    s_awready[turn] = awready & room;
    s_wready[writing] = wready & writes;
    s_bvalid[answered] = bvalid & answers;
  end

  rtl_axi_turn #(.COUNT(COUNT), .BITS(BITS)) turn_u (
      .clk(clk), .rst_n(rst_n), .valid(s_awvalid), .taken(awready & room), .turn(turn));
  rtl_fifo #(.WIDTH(BITS), .DEPTH(OUTSTANDING)) word_owners_u (
      .clk(clk), .rst_n(rst_n), .din(turn), .write(awvalid & awready), .full_n(room_words),
      .dout(writing), .read(wvalid & wready & wlast), .empty_n(writes));
  rtl_fifo #(.WIDTH(BITS), .DEPTH(OUTSTANDING)) answer_owners_u (
      .clk(clk), .rst_n(rst_n), .din(turn), .write(awvalid & awready), .full_n(room_answers),
      .dout(answered), .read(bvalid & bready), .empty_n(answers));
endmodule
`default_nettype wire
