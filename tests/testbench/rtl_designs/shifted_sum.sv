// Takes one weight, then four features, and gives back each feature plus the weight; then the next weight.
// A macro makes one thing wrong: FAULT_DROP loses a feature, FAULT_SURPLUS ends with a word too many, FAULT_VALUE adds
// wrong to one feature, FAULT_UNSTABLE changes a word on offer, FAULT_RETRACT withdraws one, FAULT_STOP stands still.
module shifted_sum (
    input  logic        ap_clk,
    input  logic        ap_rst_n,
    input  logic [15:0] weights_in_TDATA,
    input  logic        weights_in_TVALID,
    output logic        weights_in_TREADY,
    input  logic [15:0] features_in_TDATA,
    input  logic        features_in_TVALID,
    output logic        features_in_TREADY,
    output logic [15:0] features_out_TDATA,
    output logic        features_out_TVALID,
    input  logic        features_out_TREADY
);
  logic [15:0] weight_word, feature_word, result, weight, out_word;
  logic has_weight, has_feature, has_room, weight_loaded;
  logic [1:0] position;
  logic [15:0] total;

  wire take_weight = has_weight && !weight_loaded;
`ifdef FAULT_STOP
  wire allowed = total != 5;
`else
  wire allowed = 1'b1;
`endif
  wire take_feature = weight_loaded && has_feature && has_room && allowed;
`ifdef FAULT_DROP
  wire give = take_feature && total != 5;
`elsif FAULT_SURPLUS
  wire give = take_feature || (total == 8 && has_room && !given);
  logic given;
  always_ff @(posedge ap_clk) given <= ap_rst_n && (given || total == 8);
`else
  wire give = take_feature;
`endif
`ifdef FAULT_VALUE
  assign result = feature_word + weight + 16'(total == 6);
`else
  assign result = feature_word + weight;
`endif

  fifo #(.BITS(16), .DEPTH(2)) weights_port (
      .ap_clk, .ap_rst_n, .in_data(weights_in_TDATA), .write(weights_in_TVALID && weights_in_TREADY),
      .has_room(weights_in_TREADY), .out_data(weight_word), .has_word(has_weight), .read(take_weight)
  );
  fifo #(.BITS(16), .DEPTH(2)) features_port (
      .ap_clk, .ap_rst_n, .in_data(features_in_TDATA), .write(features_in_TVALID && features_in_TREADY),
      .has_room(features_in_TREADY), .out_data(feature_word), .has_word(has_feature), .read(take_feature)
  );
  logic out_valid;
  fifo #(.BITS(16), .DEPTH(4)) results (
      .ap_clk, .ap_rst_n, .in_data(result), .write(give), .has_room, .out_data(out_word), .has_word(out_valid),
      .read(features_out_TVALID && features_out_TREADY)
  );
`ifndef FAULT_NONE
  logic waited;  // a word was on offer in the last clock and not taken
  always_ff @(posedge ap_clk) waited <= features_out_TVALID && !features_out_TREADY;
`endif
`ifdef FAULT_UNSTABLE
  assign features_out_TDATA = out_word ^ 16'(waited);
`else
  assign features_out_TDATA = out_word;
`endif
`ifdef FAULT_RETRACT
  assign features_out_TVALID = out_valid && !waited;
`else
  assign features_out_TVALID = out_valid;
`endif

  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      weight_loaded <= 1'b0;
      position <= '0;
      total <= '0;
    end else begin
      if (take_weight) begin
        weight <= weight_word;
        weight_loaded <= 1'b1;
      end
      if (take_feature) begin
        position <= position + 1'b1;
        total <= total + 1'b1;
        if (position == 3) weight_loaded <= 1'b0;
      end
    end
  end
endmodule
