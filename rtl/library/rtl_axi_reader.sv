// Reads words of memory for a process: indices in, words out in the same order, AXI4 bursts on the other side.
//
// A burst is asked for only when there is room for all its words, so RREADY never waits for the process.
`default_nettype none
module rtl_axi_reader #(
    parameter int INDEX = 32,
    parameter int BYTES = 4,
    parameter int BURST = 16,
    parameter int OUTSTANDING = 16
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire  [       63:0] base,
    input  wire  [  INDEX-1:0] request_din,
    input  wire                request_write,
    output wire                request_full_n,
    output wire  [8*BYTES-1:0] data_dout,
    input  wire                data_read,
    output wire                data_empty_n,
    output logic [       63:0] araddr,
    output logic [        7:0] arlen,
    output logic               arvalid,
    input  wire                arready,
    input  wire  [8*BYTES-1:0] rdata,
    input  wire                rlast,
    input  wire                rvalid,
    output wire                rready
);
  localparam int WORDS = BURST * OUTSTANDING;
  localparam int WORD_BITS = $clog2(WORDS + 1);
  localparam int BURST_BITS = $clog2(OUTSTANDING + 1);

  wire [INDEX-1:0] index;
  wire index_valid, index_ready;
  rtl_fifo #(.WIDTH(INDEX), .DEPTH(2)) requests_u (
      .clk(clk), .rst_n(rst_n), .din(request_din), .write(request_write), .full_n(request_full_n),
      .dout(index), .read(index_ready), .empty_n(index_valid));

  wire [63:0] address;
  wire [7:0] length;
  wire burst, taken, accept, idle;
  rtl_axi_bursts #(.INDEX(INDEX), .BYTES(BYTES), .BURST(BURST)) bursts_u (
      .clk(clk), .rst_n(rst_n), .base(base), .index(index), .valid(index_valid), .ready(index_ready), .room(1'b1),
      .accept(accept), .address(address), .length(length), .burst(burst), .taken(taken), .idle(idle));

  logic [WORD_BITS-1:0] free_words;
  logic [BURST_BITS-1:0] free_bursts;
  wire [WORD_BITS-1:0] words = WORD_BITS'(length) + 1'b1;
  wire popped = data_read & data_empty_n;
  wire ended = rvalid & rready & rlast;
  assign taken = burst & (~arvalid | arready) & (free_words >= words) & (free_bursts != '0);

  always_ff @(posedge clk) begin
    if (taken) begin
      araddr <= address;
      arlen  <= length;
    end
    if (!rst_n) begin
      arvalid <= 1'b0;
      free_words <= WORD_BITS'(WORDS);
      free_bursts <= BURST_BITS'(OUTSTANDING);
    end else begin
      if (taken) arvalid <= 1'b1;
      else if (arready) arvalid <= 1'b0;
      free_words  <= free_words - (taken ? words : '0) + WORD_BITS'(popped);
      free_bursts <= free_bursts - BURST_BITS'(taken) + BURST_BITS'(ended);
    end
  end

  rtl_fifo #(.WIDTH(8 * BYTES), .DEPTH(WORDS)) data_u (
      .clk(clk), .rst_n(rst_n), .din(rdata), .write(rvalid), .full_n(rready),
      .dout(data_dout), .read(data_read), .empty_n(data_empty_n));

  wire unused = &{1'b0, accept, idle};
endmodule
`default_nettype wire
