// Writes words of memory for a process: words with index and byte enables in, AXI4 bursts on the other side.
//
// A burst's address is sent when all its words are here, so WVALID never waits for the process. `stored` has a word for
// every acknowledged burst when REPORTS is 1; `idle` says that nothing is on its way.
`default_nettype none
module rtl_axi_writer #(
    parameter int INDEX = 32,
    parameter int BYTES = 4,
    parameter int BURST = 16,
    parameter int OUTSTANDING = 16,
    parameter bit REPORTS = 1'b0
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire  [             63:0] base,
    input  wire  [INDEX+9*BYTES-1:0] store_din,
    input  wire                      store_write,
    output wire                      store_full_n,
    output wire                      stored_dout,
    input  wire                      stored_read,
    output wire                      stored_empty_n,
    output wire                      idle,
    output logic [             63:0] awaddr,
    output logic [              7:0] awlen,
    output logic                     awvalid,
    input  wire                      awready,
    output wire  [      8*BYTES-1:0] wdata,
    output wire  [        BYTES-1:0] wstrb,
    output wire                      wlast,
    output wire                      wvalid,
    input  wire                      wready,
    input  wire                      bvalid,
    output wire                      bready
);
  localparam int BURST_BITS = $clog2(OUTSTANDING + 1);

  wire [INDEX+9*BYTES-1:0] store;
  wire store_valid, store_ready;
  rtl_fifo #(.WIDTH(INDEX + 9 * BYTES), .DEPTH(2)) stores_u (
      .clk(clk), .rst_n(rst_n), .din(store_din), .write(store_write), .full_n(store_full_n),
      .dout(store), .read(store_ready), .empty_n(store_valid));

  // The word, beside its address in `bursts`.
  logic [9*BYTES-1:0] word;
  always_ff @(posedge clk) if (store_ready) word <= store[9*BYTES-1:0];

  wire [63:0] address;
  wire [7:0] length;
  wire burst, taken, accept, room, none_open;
  rtl_axi_bursts #(.INDEX(INDEX), .BYTES(BYTES), .BURST(BURST)) bursts_u (
      .clk(clk), .rst_n(rst_n), .base(base), .index(store[INDEX+9*BYTES-1:9*BYTES]), .valid(store_valid),
      .ready(store_ready), .room(room), .accept(accept), .address(address), .length(length), .burst(burst),
      .taken(taken), .idle(none_open));

  wire words_valid, words_ready;
  rtl_fifo #(.WIDTH(9 * BYTES), .DEPTH(2 * BURST)) words_u (
      .clk(clk), .rst_n(rst_n), .din(word), .write(accept), .full_n(room),
      .dout({wstrb, wdata}), .read(words_ready), .empty_n(words_valid));

  wire [7:0] beats;
  wire beats_room, beats_valid, last_beat;
  rtl_fifo #(.WIDTH(8), .DEPTH(OUTSTANDING)) lengths_u (
      .clk(clk), .rst_n(rst_n), .din(length), .write(taken), .full_n(beats_room),
      .dout(beats), .read(last_beat), .empty_n(beats_valid));

  logic [7:0] beat;
  assign wvalid = words_valid & beats_valid;
  assign wlast = beat == beats;
  assign words_ready = wready & beats_valid;
  assign last_beat = wvalid & wready & wlast;

  logic [BURST_BITS-1:0] free_bursts;
  wire stored_room;
  assign bready = ~REPORTS | stored_room;
  assign taken = burst & (~awvalid | awready) & beats_room & (free_bursts != '0);
  assign idle = ~store_valid & none_open & (free_bursts == BURST_BITS'(OUTSTANDING));

  always_ff @(posedge clk) begin
    if (taken) begin
      awaddr <= address;
      awlen  <= length;
    end
    if (!rst_n) begin
      awvalid <= 1'b0;
      beat <= '0;
      free_bursts <= BURST_BITS'(OUTSTANDING);
    end else begin
      if (taken) awvalid <= 1'b1;
      else if (awready) awvalid <= 1'b0;
      if (wvalid & wready) beat <= wlast ? '0 : beat + 1'b1;
      free_bursts <= free_bursts - BURST_BITS'(taken) + BURST_BITS'(bvalid & bready);
    end
  end

  rtl_fifo #(.WIDTH(1), .DEPTH(2)) reports_u (
      .clk(clk), .rst_n(rst_n), .din(1'b1), .write(bvalid & REPORTS), .full_n(stored_room),
      .dout(stored_dout), .read(stored_read), .empty_n(stored_empty_n));
endmodule
`default_nettype wire
