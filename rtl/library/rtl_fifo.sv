// A stream between two processes: a first-in first-out queue of DEPTH words.
//
// A word written in one clock can be read in the next; a place freed in one clock can be written in the next. Both
// flags come from the registered `count` alone, so no ready signal depends on the other side's. Words lie in LUT RAM:
// block RAM would be mostly empty, a word of 256 bits taking 4 of 512 words, and is wanted for arrays.
`default_nettype none
module rtl_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 2
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire  [WIDTH-1:0] din,
    input  wire              write,
    output logic             full_n,
    output logic [WIDTH-1:0] dout,
    input  wire              read,
    output logic             empty_n
);
  localparam int COUNT_BITS = $clog2(DEPTH + 1);
  localparam int INDEX_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam logic [INDEX_BITS-1:0] LAST = INDEX_BITS'(DEPTH - 1);

  (* ram_style = DEPTH == 1 ? "registers" : DEPTH <= 512 ? "distributed" : "auto" *)
  logic [WIDTH-1:0] words[0:DEPTH-1];
  logic [INDEX_BITS-1:0] head;
  logic [INDEX_BITS-1:0] tail;
  logic [COUNT_BITS-1:0] count  /* verilator public_flat_rd */;

  wire push = write & full_n;
  wire pop = read & empty_n;

  assign full_n = count != COUNT_BITS'(DEPTH);
  assign empty_n = count != '0;
  assign dout = words[head];

  always_ff @(posedge clk) begin
    if (push) words[tail] <= din;
    if (!rst_n) begin
      head <= '0;
      tail <= '0;
      count <= '0;
    end else begin
      if (push) tail <= tail == LAST ? '0 : tail + 1'b1;
      if (pop) head <= head == LAST ? '0 : head + 1'b1;
      if (push & ~pop) count <= count + 1'b1;
      if (pop & ~push) count <= count - 1'b1;
    end
  end

`ifndef SYNTHESIS
  // The most words ever held: what the depth must be at least.
  logic [COUNT_BITS-1:0] high_water  /* verilator public_flat_rd */;
  always_ff @(posedge clk) begin
    if (!rst_n) high_water <= '0;
    else if (push & ~pop & (count >= high_water)) high_water <= count + 1'b1;
  end
`endif
endmodule
`default_nettype wire
