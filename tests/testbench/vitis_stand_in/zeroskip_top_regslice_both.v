`timescale 1 ns / 1 ps

// Two words deep, with registered ready and valid.
module zeroskip_top_regslice_both
#(parameter DataWidth = 32)
(
    input ap_clk,
    input ap_rst,
    input [DataWidth-1:0] data_in,
    input vld_in,
    output ack_in,
    output [DataWidth-1:0] data_out,
    output vld_out,
    input ack_out
);

reg [DataWidth-1:0] B_V_data_1_payload_A;
reg [DataWidth-1:0] B_V_data_1_payload_B;
reg B_V_data_1_sel_rd;
reg B_V_data_1_sel_wr;
reg [1:0] B_V_data_1_state;

assign ack_in = B_V_data_1_state[1];
assign vld_out = B_V_data_1_state[0];
assign data_out = B_V_data_1_sel_rd ? B_V_data_1_payload_B : B_V_data_1_payload_A;

always @ (posedge ap_clk) begin
    if (ack_in & ~B_V_data_1_sel_wr) B_V_data_1_payload_A <= data_in;
    if (ack_in & B_V_data_1_sel_wr) B_V_data_1_payload_B <= data_in;
    if (ap_rst) begin
        B_V_data_1_sel_rd <= 1'b0;
        B_V_data_1_sel_wr <= 1'b0;
        B_V_data_1_state <= 2'd0;
    end else begin
        if (vld_out & ack_out) B_V_data_1_sel_rd <= ~B_V_data_1_sel_rd;
        if (vld_in & ack_in) B_V_data_1_sel_wr <= ~B_V_data_1_sel_wr;
        // 2: empty, 3: one word, 1: full
        if (((B_V_data_1_state == 2'd2) & ~vld_in) | ((B_V_data_1_state == 2'd3) & ~vld_in & ack_out))
            B_V_data_1_state <= 2'd2;
        else if (((B_V_data_1_state == 2'd1) & ~ack_out) | ((B_V_data_1_state == 2'd3) & ~ack_out & vld_in))
            B_V_data_1_state <= 2'd1;
        else
            B_V_data_1_state <= 2'd3;
        if (B_V_data_1_state == 2'd0) B_V_data_1_state <= 2'd2;
    end
end

endmodule
