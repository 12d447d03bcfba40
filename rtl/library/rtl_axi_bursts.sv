// Joins words at consecutive addresses into bursts, for the read and the write side of an AXI4 master.
//
// A word's address is `base` and `index` (signed) words. A word joins the open burst when it follows its last one, the
// burst is shorter than BURST, and it begins no new block of 4 KiB. The open burst ends when the next word does not
// join, when it is full, or when no word has come for PATIENCE clocks. `accept` is high in the clock in which a word
// joins or opens a burst; `length` counts the burst's words less one, as AXI does.
`default_nettype none
module rtl_axi_bursts #(
    parameter int INDEX = 32,
    parameter int BYTES = 4,
    parameter int BURST = 16,
    parameter int PATIENCE = 4
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire  [     63:0] base,
    input  wire  [INDEX-1:0] index,
    input  wire              valid,
    output wire              ready,
    input  wire              room,    // what else is needed for a word to be accepted
    output wire              accept,
    output logic [     63:0] address,
    output wire  [      7:0] length,
    output wire              burst,
    input  wire              taken,
    output wire              idle
);
  localparam int SHIFT = $clog2(BYTES);
  localparam int COUNT_BITS = $clog2(BURST + 1);
  localparam int WAIT_BITS = $clog2(PATIENCE + 1);

  // The word that is looked at: one clock for the sum, one for the comparison.
  logic [63:0] word;
  logic has_word;
  logic [63:0] following;
  logic [COUNT_BITS-1:0] count;
  logic [WAIT_BITS-1:0] waited;

  wire open = count != '0;
  wire full = count == COUNT_BITS'(BURST);
  wire joins = open & ~full & (word == following) & (word[11:0] >= 12'(BYTES));
  wire ends = full | (has_word ? ~joins : waited == WAIT_BITS'(PATIENCE));
  wire [63:0] offset = {{(64 - INDEX) {index[INDEX-1]}}, index} << SHIFT;
  /* verilator lint_off WIDTH */
  assign length = count - 1'b1;
  /* verilator lint_on WIDTH */
  assign burst  = open & ends;
  assign accept = has_word & room & (joins | ~open | (burst & taken));
  assign ready  = ~has_word | accept;
  assign idle   = ~has_word & ~open;

  always_ff @(posedge clk) begin
    if (ready) word <= base + offset;
    if (accept) following <= word + 64'(BYTES);
    if (accept & ~joins) address <= word;
    if (!rst_n) begin
      has_word <= 1'b0;
      count <= '0;
      waited <= '0;
    end else begin
      if (ready) has_word <= valid;
      if (accept) count <= joins ? count + 1'b1 : COUNT_BITS'(1);
      else if (burst & taken) count <= '0;
      if (has_word | ~open) waited <= '0;
      else if (waited != WAIT_BITS'(PATIENCE)) waited <= waited + 1'b1;
    end
  end
endmodule
`default_nettype wire
