// The CSC engine for fully-connected layers, after EIE (Han et al., ISCA 2016).
//
// Output row r belongs to PE r mod Pes. A PE holds its rows' non-zero weights column after column; an entry is a weight
// and the number of the PE's rows that lie between it and the entry before it in the column. Only activations that are
// not zero are sent to the PEs, and each PE works through its part of that column at one entry per cycle.
//
// A layer is one round of packets. Packet of a PE: header word, then pointer words, entry words, bias words
// (layouts.h), then words that only fill it up.
//   pointer word k: kPointersPerWord + 1 numbers of kPointerBits bits; column kPointersPerWord * k + c has the entries
//   from number c up to number c + 1;
//   entry word: kUnitsPerWord entries {value, gap}; bias word: kBiasesPerWord biases of the PE's rows in order.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// Sends the activations that are not zero to every PE, then a token that ends the vector.
//
// One token per cycle; a feature word without any takes one cycle, and so does the end token.
//
// \tparam TokenDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int TokenDepth>
void fc_scan(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>>& features,
             hls::stream<TokenWord, TokenDepth> (&tokens)[Pes]) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<32> words = get<descriptor::feature_words>(layer);
  const bool input_signed = get<descriptor::input_signed>(layer) != 0;
  ap_uint<32> words_read = 0;
  FeatureWord<Lanes> word = 0;
  ap_uint<Lanes> waiting = 0;  // lanes of the present word that are still to be sent
  bool any_waiting = false;
  bool end = words == 0;
  while (!end) {
#pragma HLS PIPELINE II = 1
    end = !any_waiting && words_read == words;
    if (!any_waiting && !end) {
      word = features.read();
      ++words_read;
      for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
        waiting[lane] = lane_of<8>(word, lane) != 0;
      }
    }
    // The lowest lane that waits, by arithmetic: a search lane by lane would be too long a chain for a fast clock.
    const ap_uint<Lanes> others = waiting & ap_uint<Lanes>(waiting - 1);
    const ap_uint<Lanes> lowest = waiting ^ others;
    const bool found = waiting != 0;
    ap_uint<8> value = 0;
    ap_uint<8> number = 0;
    for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
      value |= lowest[lane] ? lane_of<8>(word, lane) : ap_uint<8>(0);
      number |= lowest[lane] ? ap_uint<8>(lane) : ap_uint<8>(0);
    }
    waiting = others;
    any_waiting = others != 0;
    TokenWord token = 0;
    put<token_word::end>(token, end);
    put<token_word::value>(token, ap_uint<9>(to_pixel(value, input_signed)));
    put<token_word::column>(token, found ? ap_uint<16>((words_read - 1) * Lanes + number) : ap_uint<16>(0));
    if (found || end) {
      for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
        tokens[pe].write(token);
      }
    }
  }
}

// Holds a PE's column pointers: turns a column into the range of its entries. Columns without entries go no further.
//
// Cycles: one per word of the packet, then one per token.
//
// \tparam PointerWords  pointer words of the widest layer.
template <int PointerWords>
void fc_lookup(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers, hls::stream<WeightWord>& weights,
               hls::stream<WeightWord>& mac_weights, hls::stream<TokenWord>& tokens,
               hls::stream<CommandWord>& commands) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  if (get<descriptor::rows>(layer) == 0) return;
  const WeightWord header = weights.read();
  mac_weights.write(header);
  const ap_uint<packet::words::bits> words = get<packet::words>(header);
  const ap_uint<packet::round_words::bits> following = get<packet::round_words>(header) - 1;
  const ap_uint<packet::pointer_words::bits> pointer_words = get<packet::pointer_words>(header);
  WeightWord pointers[PointerWords];
  for (ap_uint<packet::round_words::bits> word = 0; word < following; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights.read();
    if (word < pointer_words) {
      pointers[word] = value;
    } else if (word < words) {
      mac_weights.write(value);
    }
  }
  bool end = false;
  while (!end) {
#pragma HLS PIPELINE II = 1
    const TokenWord token = tokens.read();
    end = get<token_word::end>(token) != 0;
    const ap_uint<16> column = get<token_word::column>(token);
    const WeightWord group = pointers[end ? ap_uint<16>(0) : ap_uint<16>(column / kPointersPerWord)];
    const WeightWord from_column = group >> (ap_uint<16>(column % kPointersPerWord) * kPointerBits);
    const ap_uint<kPointerBits> first = lane_of<kPointerBits>(from_column, 0);
    const ap_uint<kPointerBits> past = lane_of<kPointerBits>(from_column, 1);
    CommandWord command = 0;
    put<command_word::end>(command, end);
    put<command_word::value>(command, get<token_word::value>(token));
    put<command_word::first>(command, first);
    put<command_word::count>(command, ap_uint<kPointerBits>(past - first));
    if (end || first != past) commands.write(command);
  }
}

// Multiplies and accumulates a PE's entries, then hands over its rows' sums.
//
// Cycles: one per entry word, one per row (biases), one per entry and one for the end, one per row (sums).
//
// \tparam EntryWords  entry words of the largest layer.
// \tparam MaxRows     rows of a PE in the largest layer.
template <int EntryWords, int MaxRows>
void fc_mac(hls::stream<Descriptor>& layers, hls::stream<WeightWord>& weights, hls::stream<CommandWord>& commands,
            hls::stream<Accumulator>& row_sums) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<descriptor::rows::bits> rows = get<descriptor::rows>(layer);
  if (rows == 0) return;
  const WeightWord header = weights.read();
  const ap_uint<packet::entry_words::bits> entry_words = get<packet::entry_words>(header);
  WeightWord entries[EntryWords];
  Accumulator sums[MaxRows];
  for (ap_uint<packet::entry_words::bits> word = 0; word < entry_words; ++word) {
#pragma HLS PIPELINE II = 1
    entries[word] = weights.read();
  }
  WeightWord biases = 0;
  for (ap_uint<descriptor::rows::bits> row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II = 1
    if (row % kBiasesPerWord == 0) biases = weights.read();
    sums[row] = Accumulator(lane_of<32>(biases, 0));
    biases >>= 32;
  }

  CommandWord command = 0;
  ap_uint<kPointerBits> address = 0;
  ap_uint<kPointerBits> left = 0;
  ap_int<17> row = 0;
  bool end = false;
  while (!end) {
#pragma HLS PIPELINE II = 1
    if (left == 0) {
      command = commands.read();
      end = get<command_word::end>(command) != 0;
      address = get<command_word::first>(command);
      left = get<command_word::count>(command);
      row = -1;
    }
    if (!end) {
      const WeightWord word = entries[address / kUnitsPerWord];
      const ap_uint<16> entry = ap_uint<16>(word >> (ap_uint<8>(address % kUnitsPerWord) * 16));
      row += ap_int<17>(get<fc_entry::gap>(entry) + 1);
      const ap_int<8> weight = get_signed<fc_entry::value>(entry);
      const Pixel activation = get_signed<command_word::value>(command);
      sums[row] = Accumulator(sums[row] + weight * activation);
      ++address;
      --left;
    }
  }
  for (ap_uint<descriptor::rows::bits> drained = 0; drained < rows; ++drained) {
#pragma HLS PIPELINE II = 1
    row_sums.write(sums[drained]);
  }
}

// Requantises the rows of a layer, Pes a cycle, and packs them into feature words in their natural order.
//
// \tparam Lanes     pixels in a feature word; a multiple of Pes.
// \tparam SumDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int SumDepth>
void fc_gather(hls::stream<Descriptor>& layers, hls::stream<Accumulator, SumDepth> (&row_sums)[Pes],
               hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  static_assert(Lanes % Pes == 0, "a feature word is filled by whole groups of rows");
  const Descriptor layer = layers.read();
  const ap_uint<descriptor::rows::bits> rows = get<descriptor::rows>(layer);
  const ap_uint<16> multiplier = get<descriptor::multiplier>(layer);
  const ap_uint<6> shift = get<descriptor::shift>(layer);
  const ap_int<9> minimum = get_signed<descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<descriptor::maximum>(layer);
  FeatureWord<Lanes> packed = 0;
  ap_uint<8> filled = 0;
  for (ap_uint<descriptor::rows::bits> row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II = 1
    ap_uint<8 * Pes> group = 0;
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      const Accumulator sum = row_sums[pe].read();
      group.range(8 * pe + 7, 8 * pe) = requantise(sum, multiplier, shift, minimum, maximum);
    }
    packed |= FeatureWord<Lanes>(group) << (filled * 8);
    filled += Pes;
    if (filled == Lanes || row + 1 == rows) {
      outputs.write(packed);
      packed = 0;
      filled = 0;
    }
  }
}

}  // namespace zeroskip
