// Start and done of a design, after Vitis HLS' ap_ctrl_hs, and ap_ctrl_chain: done is held, and no run begins, until
// ap_continue is high. ap_ctrl_hs is the same with ap_continue always high.
//
// `launch` is high for one clock when a run begins, `finish` in the clock in which it ends: all processes have returned,
// and all their writes to memory are acknowledged (`all_done`). A start that comes during a run waits for its end.
`default_nettype none
module rtl_launch (
    input  wire clk,
    input  wire rst_n,
    input  wire ap_start,
    input  wire ap_continue,
    output wire ap_done,
    output wire ap_idle,
    output wire ap_ready,
    input  wire all_done,
    output wire launch,
    output wire finish
);
  logic running, held;

  assign launch   = ap_start & ~running & ~held;
  assign finish   = running & all_done;
  assign ap_done  = finish | held;
  assign ap_ready = finish;
  assign ap_idle  = ~running & ~ap_start;

  always_ff @(posedge clk) begin
    if (!rst_n) running <= 1'b0;
    else if (launch) running <= 1'b1;
    else if (finish) running <= 1'b0;
    held <= rst_n & ap_done & ~ap_continue;
  end
endmodule
`default_nettype wire
