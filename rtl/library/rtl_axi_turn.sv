// Whose turn it is to send an address: round and round, but an address that is offered stays until it is taken.
`default_nettype none
module rtl_axi_turn #(
    parameter int COUNT = 2,
    parameter int BITS = 1
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire  [COUNT-1:0] valid,
    input  wire              taken,
    output logic [ BITS-1:0] turn
);
  always_ff @(posedge clk) begin
    if (!rst_n) turn <= '0;
    else if (~valid[turn] | taken) turn <= turn == BITS'(COUNT - 1) ? '0 : turn + 1'b1;
  end
endmodule
`default_nettype wire
