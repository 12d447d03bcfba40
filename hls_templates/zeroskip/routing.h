// Routing between the shared AXI streams and the two engines, layer after layer.
//
// Contract of the weight stream: for each layer one descriptor of kDescriptorWords words, then `descriptor::words`
// words of packets for the engine that `descriptor::engine` names. One descriptor moves `descriptor::feature_words`
// words from features_in to that engine and `descriptor::output_words` words from it to features_out.
//
// Every process runs once per layer, as a dataflow region demands: the engine that has nothing to do in a layer gets
// the descriptor too, sees that it names the other engine, and passes on an empty one.
#pragma once

#include "types.h"

namespace zeroskip {

// Sends a layer's descriptor to both engines and its packets to the one named, and tells the two feature routers where
// to switch to.
// One word per cycle.
inline void route_weights(hls::stream<WeightWord>& weights_in, hls::stream<WeightWord>& convolver_weights,
                          hls::stream<WeightWord>& fc_weights, hls::stream<WeightWord>& input_routes,
                          hls::stream<WeightWord>& output_routes) {
#pragma HLS INLINE off
  // The first descriptor word holds all that routing needs (layouts.h asserts it).
  const WeightWord first = weights_in.read();
  const bool to_fc = get<descriptor::engine>(first) == kEngineFc;
  const ap_uint<32> words = get<descriptor::words>(first) + (kDescriptorWords - 1);
  input_routes.write(first);
  output_routes.write(first);
  convolver_weights.write(first);
  fc_weights.write(first);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights_in.read();
    const bool in_descriptor = word < kDescriptorWords - 1;
    if (in_descriptor || to_fc) fc_weights.write(value);
    if (in_descriptor || !to_fc) convolver_weights.write(value);
  }
}

// Sends a layer's input map to its engine. One word per cycle.
template <int Lanes>
void route_features(hls::stream<WeightWord>& routes, hls::stream<FeatureWord<Lanes>>& features_in,
                    hls::stream<FeatureWord<Lanes>>& convolver_features, hls::stream<FeatureWord<Lanes>>& fc_features) {
#pragma HLS INLINE off
  const WeightWord route = routes.read();
  const bool to_fc = get<descriptor::engine>(route) == kEngineFc;
  const ap_uint<32> words = get<descriptor::feature_words>(route);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const FeatureWord<Lanes> value = features_in.read();
    if (to_fc) {
      fc_features.write(value);
    } else {
      convolver_features.write(value);
    }
  }
}

// Collects a layer's output map from its engine. One word per cycle.
template <int Lanes>
void merge_outputs(hls::stream<WeightWord>& routes, hls::stream<FeatureWord<Lanes>>& convolver_outputs,
                   hls::stream<FeatureWord<Lanes>>& fc_outputs, hls::stream<FeatureWord<Lanes>>& features_out) {
#pragma HLS INLINE off
  const WeightWord route = routes.read();
  const bool from_fc = get<descriptor::engine>(route) == kEngineFc;
  const ap_uint<32> words = get<descriptor::output_words>(route);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    features_out.write(from_fc ? fc_outputs.read() : convolver_outputs.read());
  }
}

}  // namespace zeroskip
