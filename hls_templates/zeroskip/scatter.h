// The head of an engine: its weight stream in, one stream of packets to each processing element (PE) out.
#pragma once

#include "types.h"

namespace zeroskip {

// Reads one layer: the descriptor, then packets. A packet's first word names the PE and the number of words that
// follow it (layouts.h, `packet`); whole packets go to that PE. One word per cycle.
//
// The descriptor goes to the engine's input and output processes and to every PE; the copy for PE `i` says in
// `descriptor::channels` how many output channels are dealt to that PE: channel c of the schedule goes to PE c mod Pes.
// In place of a descriptor that names the other engine an empty one is sent (all counts zero).
//
// \tparam Engine                   kEngineConvolver or kEngineFc.
// \tparam Pes                      number of PEs, 1..255.
// \tparam LayerDepth, WeightDepth  depths of the streams, deduced.
template <int Engine, int Pes, int LayerDepth, int WeightDepth>
void scatter(hls::stream<WeightWord>& weights, hls::stream<Descriptor>& input_layer,
             hls::stream<Descriptor>& output_layer, hls::stream<Descriptor, LayerDepth> (&pe_layers)[Pes],
             hls::stream<WeightWord, WeightDepth> (&pe_weights)[Pes]) {
#pragma HLS INLINE off
  static_assert(Pes >= 1 && Pes <= 255, "a packet names its PE in eight bits");
  Descriptor layer = 0;
  for (ap_uint<4> word = 0; word < kDescriptorWords; ++word) {
#pragma HLS PIPELINE II = 1
    // Shifted in from the top: after kDescriptorWords words the first one lies lowest.
    layer = (Descriptor(weights.read()) << (kDescriptorBits - kWeightBits)) | (layer >> kWeightBits);
  }
  if (get<descriptor::engine>(layer) != Engine) layer = 0;
  input_layer.write(layer);
  output_layer.write(layer);
  for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
    const ap_uint<1> one_more = ap_uint<1>(get<descriptor::remainder>(layer) > pe);
    Descriptor pe_layer = layer;
    put<descriptor::channels>(pe_layer, get<descriptor::rounds>(layer) + one_more);
    pe_layers[pe].write(pe_layer);
  }
  const ap_uint<32> words = get<descriptor::words>(layer);
  ap_uint<packet::words::bits> left = 0;
  ap_uint<8> target = 0;
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights.read();
    if (left == 0) {
      target = get<packet::pe>(value);
      left = get<packet::words>(value);
    } else {
      --left;
    }
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      if (target == pe) pe_weights[pe].write(value);
    }
  }
}

}  // namespace zeroskip
