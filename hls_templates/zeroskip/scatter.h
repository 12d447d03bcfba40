// The head of an engine: its weight stream in, one stream of packets to each processing element (PE) out.
#pragma once

#include "types.h"

namespace zeroskip {

// Reads one layer: the descriptor, then descriptor::mask_words words for every PE, then packets, one word per cycle.
//
// Packets come in rounds, one packet per PE (the last round may have fewer: descriptor::remainder). The words of a
// round are dealt out in turn, word 0 of every PE, word 1 of every PE, and so on, so that all PEs work while a round
// arrives. All packets of a round are filled up to the same length, `packet::round_words`, which every header states.
//
// The descriptor goes to the engine's input and output processes and to every PE; the copy for PE `i` says in
// `descriptor::channels` how many packets that PE gets: packet c of the schedule goes to PE c mod Pes. In place of a
// descriptor that names the other engine an empty one is sent (all counts zero).
//
// \tparam Engine                   kEngineConvolver or kEngineFc.
// \tparam Pes                      number of PEs, 1..255.
// \tparam LayerDepth, WeightDepth  depths of the streams, deduced.
template <int Engine, int Pes, int LayerDepth, int WeightDepth>
void scatter(hls::stream<WeightWord>& weights, hls::stream<Descriptor>& input_layer,
             hls::stream<Descriptor>& output_layer, hls::stream<Descriptor, LayerDepth> (&pe_layers)[Pes],
             hls::stream<WeightWord, WeightDepth> (&pe_weights)[Pes]) {
#pragma HLS INLINE off
  static_assert(Pes >= 1 && Pes <= 255, "PEs are counted in eight bits");
  Descriptor layer = 0;
  for (ap_uint<4> word = 0; word < kDescriptorWords; ++word) {
#pragma HLS PIPELINE II = 1
    // Shifted in from the top: after kDescriptorWords words the first one lies lowest.
    layer = (Descriptor(weights.read()) << (kDescriptorBits - kWeightBits)) | (layer >> kWeightBits);
  }
  if (get<descriptor::engine>(layer) != Engine) layer = 0;
  input_layer.write(layer);
  output_layer.write(layer);
  const ap_uint<8> remainder = get<descriptor::remainder>(layer);
  for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
    const ap_uint<1> one_more = ap_uint<1>(remainder > pe);
    Descriptor pe_layer = layer;
    put<descriptor::channels>(pe_layer, get<descriptor::rounds>(layer) + one_more);
    pe_layers[pe].write(pe_layer);
  }
  const ap_uint<32> words = get<descriptor::words>(layer);
  const ap_uint<17> mask_words = get<descriptor::mask_words>(layer);
  ap_uint<descriptor::rounds::bits> full_rounds = get<descriptor::rounds>(layer);
  ap_uint<packet::round_words::bits> turns = 0;  // left in this round, the present one included
  ap_uint<8> pes = 0;                            // that take part in this round
  ap_uint<8> target = 0;
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights.read();
    const bool for_all = word < mask_words;
    if (turns == 0 && !for_all) {
      turns = get<packet::round_words>(value);
      pes = full_rounds != 0 ? ap_uint<8>(Pes) : remainder;
      --full_rounds;
    }
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      if (for_all || target == pe) pe_weights[pe].write(value);
    }
    if (!for_all) {
      if (target + 1 == pes) {
        target = 0;
        --turns;
      } else {
        ++target;
      }
    }
  }
}

}  // namespace zeroskip
