// Written by hand in the manner of what Vitis HLS exports (Verilog 2001, one file a module, tables in .dat files beside
// them, ap_ctrl_none, register slices at the AXI4-Stream ports), for the network of tests/testbench/tiny.py.
`timescale 1 ns / 1 ps

(* CORE_GENERATION_INFO="zeroskip_top_zeroskip_top,hls_ip_2024_2,{HLS_INPUT_TYPE=cxx,HLS_INPUT_CLOCK=5.000000}" *)

module zeroskip_top (
        ap_clk,
        ap_rst_n,
        features_in_TDATA,
        features_in_TVALID,
        features_in_TREADY,
        weights_in_TDATA,
        weights_in_TVALID,
        weights_in_TREADY,
        features_out_TDATA,
        features_out_TVALID,
        features_out_TREADY
);

parameter    ap_ST_fsm_state1 = 4'd1;
parameter    ap_ST_fsm_state2 = 4'd2;
parameter    ap_ST_fsm_state3 = 4'd4;
parameter    ap_ST_fsm_state4 = 4'd8;
parameter    WEIGHT_WORDS = 10;

input   ap_clk;
input   ap_rst_n;
input  [63:0] features_in_TDATA;
input   features_in_TVALID;
output   features_in_TREADY;
input  [255:0] weights_in_TDATA;
input   weights_in_TVALID;
output   weights_in_TREADY;
output  [63:0] features_out_TDATA;
output   features_out_TVALID;
input   features_out_TREADY;

reg    ap_rst_n_inv;
(* fsm_encoding = "none" *) reg   [3:0] ap_CS_fsm;
reg   [63:0] pixels_reg_120;
reg   [63:0] scores_reg_131;
reg   [4:0] index_fu_60;
reg   [4:0] index_d1;
reg   [3:0] words_fu_64;
reg signed [31:0] sum_fu_68;
wire signed [7:0] weights_q0;
wire signed [31:0] bias_q0;
wire   [1:0] output_number;
wire   [2:0] input_number;
wire  [7:0] pixel;
wire signed [31:0] sum_next;
wire signed [31:0] floor_half;
wire signed [31:0] rounded;
wire signed [31:0] clamped;
wire    regslice_both_features_in_V_U_vld_out;
wire   [63:0] regslice_both_features_in_V_U_data_out;
wire    regslice_both_features_out_V_U_ack_in;

initial begin
#0 ap_CS_fsm = 4'd1;
end

zeroskip_top_rom #(.DataWidth(8), .AddressRange(18), .AddressWidth(5), .File("./zeroskip_top_weights_ROM_AUTO_1R.dat"))
weights_U(.clk(ap_clk), .address0(index_fu_60), .ce0(1'b1), .q0(weights_q0));

zeroskip_top_rom #(.DataWidth(32), .AddressRange(3), .AddressWidth(2), .File("./zeroskip_top_bias_ROM_AUTO_1R.dat"))
bias_U(.clk(ap_clk), .address0(output_number), .ce0(1'b1), .q0(bias_q0));

zeroskip_top_regslice_both #(.DataWidth(64))
regslice_both_features_in_V_U(.ap_clk(ap_clk), .ap_rst(ap_rst_n_inv),
    .data_in(features_in_TDATA), .vld_in(features_in_TVALID), .ack_in(features_in_TREADY),
    .data_out(regslice_both_features_in_V_U_data_out), .vld_out(regslice_both_features_in_V_U_vld_out),
    .ack_out(ap_CS_fsm == ap_ST_fsm_state1));

zeroskip_top_regslice_both #(.DataWidth(64))
regslice_both_features_out_V_U(.ap_clk(ap_clk), .ap_rst(ap_rst_n_inv),
    .data_in(scores_reg_131), .vld_in(ap_CS_fsm == ap_ST_fsm_state4), .ack_in(regslice_both_features_out_V_U_ack_in),
    .data_out(features_out_TDATA), .vld_out(features_out_TVALID), .ack_out(features_out_TREADY));

assign weights_in_TREADY = (ap_CS_fsm == ap_ST_fsm_state2);
assign output_number = index_fu_60 / 6;
assign input_number = index_d1 % 6;
assign pixel = pixels_reg_120[8 * input_number +: 8];
assign sum_next = (input_number == 3'd0 ? bias_q0 : sum_fu_68) + weights_q0 * $signed({1'b0, pixel});
assign floor_half = sum_next >>> 7;
assign rounded = floor_half + ((sum_next[6:0] > 7'd64) | ((sum_next[6:0] == 7'd64) & floor_half[0]));
assign clamped = rounded < -32'sd128 ? -32'sd128 : rounded > 32'sd127 ? 32'sd127 : rounded;

always @ (posedge ap_clk) begin
    ap_rst_n_inv <= ~ap_rst_n;
end

always @ (posedge ap_clk) begin
    index_d1 <= index_fu_60;
    if (ap_rst_n_inv == 1'b1) begin
        ap_CS_fsm <= ap_ST_fsm_state1;
        words_fu_64 <= 4'd0;
        index_fu_60 <= 5'd0;
    end else if (ap_CS_fsm == ap_ST_fsm_state1) begin
        if (regslice_both_features_in_V_U_vld_out == 1'b1) begin
            pixels_reg_120 <= regslice_both_features_in_V_U_data_out;
            ap_CS_fsm <= ap_ST_fsm_state2;
        end
    end else if (ap_CS_fsm == ap_ST_fsm_state2) begin
        if (weights_in_TVALID == 1'b1) begin
            words_fu_64 <= words_fu_64 + 4'd1;
            if (words_fu_64 == WEIGHT_WORDS - 1) begin
                words_fu_64 <= 4'd0;
                index_fu_60 <= 5'd1;
                scores_reg_131 <= 64'd0;
                ap_CS_fsm <= ap_ST_fsm_state3;
            end
        end
    end else if (ap_CS_fsm == ap_ST_fsm_state3) begin
        index_fu_60 <= (index_fu_60 == 5'd18) ? 5'd0 : index_fu_60 + 5'd1;
        sum_fu_68 <= sum_next;
        if (input_number == 3'd5) scores_reg_131[8 * (index_d1 / 6) +: 8] <= clamped[7:0];
        if (index_d1 == 5'd17) begin
            index_fu_60 <= 5'd0;
            ap_CS_fsm <= ap_ST_fsm_state4;
        end
    end else if (regslice_both_features_out_V_U_ack_in == 1'b1) begin
        ap_CS_fsm <= ap_ST_fsm_state1;
    end
end

endmodule
