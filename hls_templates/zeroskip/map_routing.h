// Routing around the map engine: its layers go to it, all others to the engines that compute with weights.
//
// Contract: as routing.h, but that a layer whose first descriptor word has map_descriptor::is_map set is the map
// engine's. The other engines get an empty descriptor (all zero) for such a layer, and the map engine ignores
// descriptors that are not its own: every process runs once per layer.
#pragma once

#include "types.h"

namespace zeroskip {

// One word per cycle.
inline void split_weights(hls::stream<WeightWord>& weights_in, hls::stream<WeightWord>& other_weights,
                          hls::stream<WeightWord>& map_weights, hls::stream<WeightWord>& input_routes,
                          hls::stream<WeightWord>& output_routes) {
#pragma HLS INLINE off
  static_assert(map_descriptor::words::low == descriptor::words::low &&
                    map_descriptor::is_map::low + 1 == descriptor::words::low + descriptor::words::bits,
                "the mark is the highest bit of the others' count of words, which never reaches it");
  static_assert(map_descriptor::feature_words::low == descriptor::feature_words::low &&
                    map_descriptor::output_words::low == descriptor::output_words::low,
                "all engines' routing fields lie in the same place");
  const WeightWord first = weights_in.read();
  const bool to_map = get<map_descriptor::is_map>(first) != 0;
  const ap_uint<32> words = get<map_descriptor::words>(first) + (kDescriptorWords - 1);
  input_routes.write(first);
  output_routes.write(first);
  map_weights.write(first);
  other_weights.write(to_map ? WeightWord(0) : first);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights_in.read();
    const bool in_descriptor = word < kDescriptorWords - 1;
    if (in_descriptor || to_map) map_weights.write(value);
    if (in_descriptor || !to_map) other_weights.write(to_map ? WeightWord(0) : value);
  }
}

// Sends a layer's input map to its engine. One word per cycle.
template <int Lanes>
void split_features(hls::stream<WeightWord>& routes, hls::stream<FeatureWord<Lanes>>& features_in,
                    hls::stream<FeatureWord<Lanes>>& other_features, hls::stream<FeatureWord<Lanes>>& map_features) {
#pragma HLS INLINE off
  const WeightWord route = routes.read();
  const bool to_map = get<map_descriptor::is_map>(route) != 0;
  const ap_uint<32> words = get<map_descriptor::feature_words>(route);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const FeatureWord<Lanes> value = features_in.read();
    if (to_map) {
      map_features.write(value);
    } else {
      other_features.write(value);
    }
  }
}

// Collects a layer's output map from its engine. One word per cycle.
template <int Lanes>
void join_outputs(hls::stream<WeightWord>& routes, hls::stream<FeatureWord<Lanes>>& other_outputs,
                  hls::stream<FeatureWord<Lanes>>& map_outputs, hls::stream<FeatureWord<Lanes>>& features_out) {
#pragma HLS INLINE off
  const WeightWord route = routes.read();
  const bool from_map = get<map_descriptor::is_map>(route) != 0;
  const ap_uint<32> words = get<map_descriptor::output_words>(route);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    features_out.write(from_map ? map_outputs.read() : other_outputs.read());
  }
}

}  // namespace zeroskip
