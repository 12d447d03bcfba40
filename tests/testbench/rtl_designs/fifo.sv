// A first-in, first-out queue with registered flags: a word written in clock t is readable in t + 1.
module fifo #(
    parameter int BITS  = 8,
    parameter int DEPTH = 2
) (
    input  logic            ap_clk,
    input  logic            ap_rst_n,
    input  logic [BITS-1:0] in_data,
    input  logic            write,
    output logic            has_room,
    output logic [BITS-1:0] out_data,
    output logic            has_word,
    input  logic            read
);
  localparam int INDEX = $clog2(DEPTH);
  logic [BITS-1:0] memory[DEPTH];
  logic [INDEX-1:0] head, tail;
  logic [31:0] count, high_water;

  assign has_room = count != DEPTH;
  assign has_word = count != 0;
  assign out_data = memory[head];

  wire [31:0] next_count = count + 32'(write) - 32'(read);

  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      head <= '0;
      tail <= '0;
      count <= '0;
      high_water <= '0;
    end else begin
      if (write) begin
        memory[tail] <= in_data;
        tail <= INDEX'((32'(tail) + 1) % DEPTH);
      end
      if (read) head <= INDEX'((32'(head) + 1) % DEPTH);
      count <= next_count;
      if (next_count > high_water) high_water <= next_count;
    end
  end
endmodule
