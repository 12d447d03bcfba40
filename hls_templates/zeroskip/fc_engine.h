// The CSC engine for fully-connected layers, after EIE (Han et al., ISCA 2016).
//
// Output row r belongs to row set r mod S, and the entries of a row set are dealt out in turn to the Pes / S PEs whose
// number mod S is the set's: each of these has a sum for every row of the set, and the last process adds them up. S is
// the layer's choice (descriptor::row_sets): S = Pes is EIE's scheme, fewer sets even the PEs' work out.
//
// A PE holds its non-zero weights column after column; an entry is a weight and the number of the set's rows that lie
// between it and the entry before it in the column. Activations are sent to the PEs in pairs of neighbours that are not
// both zero, and each PE works through its part of the two columns at one entry per cycle.
//
// A layer is one round of packets. Packet of a PE: header word, then pointer words, bias words, entry words
// (layouts.h), then words that only fill it up.
//   pointer word k: kPointersPerWord numbers of kPointerBits bits, and above them a base of kBaseBits bits; the entries
//   of column kPointersPerWord * k + c end before base + number c, and begin where the column before ends, or at base;
//   bias word: kBiasesPerWord biases of the set's rows in order (zeros but in the packets of the first S PEs);
//   entry word: kUnitsPerWord entries {value, gap}.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// Sends pairs of neighbouring activations that are not both zero to every PE, then a token that ends the vector.
//
// Of a batch's images the words of a place come one after another, and a pair is sent where one image's are not both
// zero.
//
// One token per cycle; a feature word without any takes one cycle, and so do the end token, and all images' words of a
// place but the last.
//
// \tparam Lanes       pixels in a feature word, even.
// \tparam Images      of a batch.
// \tparam TokenDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int Images, int TokenDepth>
void fc_scan(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>>& features,
             hls::stream<TokenWord<Images>, TokenDepth> (&tokens)[Pes]) {
#pragma HLS INLINE off
  constexpr int kPairs = Lanes / 2;
  const Descriptor layer = layers.read();
  const ap_uint<32> words = get<descriptor::feature_words>(layer);
  const bool input_signed = get<descriptor::input_signed>(layer) != 0;
  ap_uint<32> words_read = 0;
  PairNumber place = 0;  // of the words held, behind the first one
  FeatureWord<Lanes> held[Images];
#pragma HLS ARRAY_PARTITION variable = held complete
  ap_uint<4> images_held = 0;
  ap_uint<kPairs> waiting = 0;  // pairs of the present words that are still to be sent
  bool any_waiting = false;
  bool end = words == 0;
  while (!end) {
#pragma HLS PIPELINE II = 1
    end = !any_waiting && words_read == words;
    if (!any_waiting && !end) {
      if (images_held == Images) {
        images_held = 0;
        ++place;
      }
      for (int image = 0; image + 1 < Images; ++image) {
#pragma HLS UNROLL
        held[image] = held[image + 1];
      }
      held[Images - 1] = features.read();
      ++words_read;
      ++images_held;
      for (int pair = 0; pair < kPairs; ++pair) {
#pragma HLS UNROLL
        ap_uint<16> any = 0;
        for (int image = 0; image < Images; ++image) {
#pragma HLS UNROLL
          any |= lane_of<16>(held[image], pair);
        }
        waiting[pair] = images_held == Images && any != 0;
      }
    }
    // The lowest pair that waits, by arithmetic: a search pair by pair would be too long a chain for a fast clock.
    const ap_uint<kPairs> others = waiting & ap_uint<kPairs>(waiting - 1);
    const ap_uint<kPairs> lowest = waiting ^ others;
    const bool found = waiting != 0;
    ap_uint<8> number = 0;
    for (int pair = 0; pair < kPairs; ++pair) {
#pragma HLS UNROLL
      number |= lowest[pair] ? ap_uint<8>(pair) : ap_uint<8>(0);
    }
    waiting = others;
    any_waiting = others != 0;
    TokenWord<Images> token = 0;
    for (int image = 0; image < Images; ++image) {
#pragma HLS UNROLL
      ap_uint<16> values = 0;
      for (int pair = 0; pair < kPairs; ++pair) {
#pragma HLS UNROLL
        values |= lowest[pair] ? lane_of<16>(held[image], pair) : ap_uint<16>(0);
      }
      const ap_uint<9> even = ap_uint<9>(to_pixel(lane_of<8>(values, 0), input_signed));
      const ap_uint<9> odd = ap_uint<9>(to_pixel(lane_of<8>(values, 1), input_signed));
      if (image == 0) {
        put<token_word::even>(token, even);
        put<token_word::odd>(token, odd);
      } else {
        constexpr int kFirst = token_word::kBits - 18;
        token.range(kFirst + 18 * image + 8, kFirst + 18 * image) = even;
        token.range(kFirst + 18 * image + 17, kFirst + 18 * image + 9) = odd;
      }
    }
    put<token_word::end>(token, end);
    put<token_word::pair>(token, found ? PairNumber(place * kPairs + number) : PairNumber(0));
    if (found || end) {
      for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
        tokens[pe].write(token);
      }
    }
  }
}

// Holds a PE's column pointers: turns a pair of columns into the range of its entries, without those of a column whose
// activation is zero. Pairs without entries go no further.
//
// Cycles: one per word of the packet, then one per token.
//
// \tparam PointerWords  pointer words of the widest layer.
// \tparam Images        of a batch; a column counts where one of them has an activation that is not zero.
template <int PointerWords, int Images>
void fc_lookup(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers, hls::stream<WeightWord>& weights,
               hls::stream<WeightWord>& mac_weights, hls::stream<TokenWord<Images>>& tokens,
               hls::stream<CommandWord<Images>>& commands) {
#pragma HLS INLINE off
  constexpr int kPairsPerWord = kPointersPerWord / 2;
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  if (get<descriptor::rows>(layer) == 0) return;
  const WeightWord header = weights.read();
  mac_weights.write(header);
  const ap_uint<packet::words::bits> words = get<packet::words>(header);
  const ap_uint<packet::round_words::bits> following = get<packet::round_words>(header) - 1;
  const ap_uint<packet::pointer_words::bits> pointer_words = get<packet::pointer_words>(header);
  PointerWord pointers[PointerWords];
  for (ap_uint<packet::round_words::bits> word = 0; word < following; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights.read();
    if (word < pointer_words) {
      pointers[word] = PointerWord(value);
    } else if (word < words) {
      mac_weights.write(value);
    }
  }
  bool end = false;
  while (!end) {
#pragma HLS PIPELINE II = 1
    const TokenWord<Images> token = tokens.read();
    end = get<token_word::end>(token) != 0;
    const ap_uint<9> even = get<token_word::even>(token);
    const ap_uint<9> odd = get<token_word::odd>(token);
    ap_uint<9> any_even = even;
    ap_uint<9> any_odd = odd;
    CommandWord<Images> command = 0;
    if constexpr (Images > 1) {
      const ap_uint<18 * (Images - 1)> further = token.range(TokenWord<Images>::width - 1, token_word::kBits);
      command.range(CommandWord<Images>::width - 1, command_word::kBits) = further;
      for (int image = 0; image + 1 < Images; ++image) {
#pragma HLS UNROLL
        any_even |= lane_of<9>(further, 2 * image);
        any_odd |= lane_of<9>(further, 2 * image + 1);
      }
    }
    const PairNumber pair = get<token_word::pair>(token);
    const PointerWord group = pointers[end ? PairNumber(0) : PairNumber(pair / kPairsPerWord)];
    const ap_uint<kBaseBits> base = group.range(kPointerWordBits - 1, kPointerWordBits - kBaseBits);
    // The word's first column begins at its base, 0 entries on.
    ap_uint<(kPointersPerWord + 1) * kPointerBits> ends = 0;
    ends.range((kPointersPerWord + 1) * kPointerBits - 1, kPointerBits) =
        group.range(kPointersPerWord * kPointerBits - 1, 0);
    const ap_uint<3 * kPointerBits> from_pair = ends >> (ap_uint<8>(pair % kPairsPerWord) * (2 * kPointerBits));
    const ap_uint<kPointerBits> middle = lane_of<kPointerBits>(from_pair, 1);
    const ap_uint<kPointerBits> first = any_even != 0 ? lane_of<kPointerBits>(from_pair, 0) : middle;
    const ap_uint<kPointerBits> past = any_odd != 0 ? lane_of<kPointerBits>(from_pair, 2) : middle;
    put<command_word::end>(command, end);
    put<command_word::even>(command, even);
    put<command_word::odd>(command, odd);
    put<command_word::first>(command, ap_uint<kBaseBits>(base + first));
    put<command_word::count>(command, ap_uint<kPointerBits>(past - first));
    put<command_word::odds>(command, ap_uint<kPointerBits>(past - middle));
    if (end || first != past) commands.write(command);
  }
}

// Multiplies and accumulates a PE's entries, then hands over its rows' sums.
//
// Cycles: one per row (biases), one per entry word, one per entry and one for the end, one per row (sums). The biases
// come first: entry words come slower than one per cycle, since all PEs are sent theirs in turn.
//
// \tparam EntryWords  entry words of the largest layer.
// \tparam MaxRows     rows of a PE in the largest layer.
template <int EntryWords, int MaxRows>
void fc_mac(hls::stream<Descriptor>& layers, hls::stream<WeightWord>& weights, hls::stream<CommandWord<1>>& commands,
            hls::stream<Accumulator>& row_sums) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<descriptor::rows::bits> rows = get<descriptor::rows>(layer);
  if (rows == 0) return;
  const WeightWord header = weights.read();
  const ap_uint<packet::entry_words::bits> entry_words = get<packet::entry_words>(header);
  WeightWord entries[EntryWords];
  Accumulator sums[MaxRows];
  WeightWord biases = 0;
  for (ap_uint<descriptor::rows::bits> row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II = 1
    if (row % kBiasesPerWord == 0) biases = weights.read();
    sums[row] = Accumulator(lane_of<32>(biases, 0));
    biases >>= 32;
  }
  for (ap_uint<packet::entry_words::bits> word = 0; word < entry_words; ++word) {
#pragma HLS PIPELINE II = 1
    entries[word] = weights.read();
  }

  CommandWord<1> command = 0;
  ap_uint<kBaseBits> address = 0;
  ap_uint<kPointerBits> left = 0;
  ap_int<17> row = 0;
  bool end = false;
  while (!end) {
#pragma HLS PIPELINE II = 1
    bool new_column = left == get<command_word::odds>(command);
    if (left == 0) {
      command = commands.read();
      end = get<command_word::end>(command) != 0;
      address = get<command_word::first>(command);
      left = get<command_word::count>(command);
      new_column = true;
    }
    if (!end) {
      const WeightWord word = entries[address / kUnitsPerWord];
      const ap_uint<16> entry = ap_uint<16>(word >> (ap_uint<8>(address % kUnitsPerWord) * 16));
      row = ap_int<17>((new_column ? ap_int<17>(-1) : row) + ap_int<17>(get<fc_entry::gap>(entry) + 1));
      const ap_int<8> weight = get_signed<fc_entry::value>(entry);
      const bool odd = left <= get<command_word::odds>(command);
      const Pixel activation = odd ? get_signed<command_word::odd>(command) : get_signed<command_word::even>(command);
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

// How often a number can be halved.
constexpr int halvings(int number) { return number % 2 == 0 ? 1 + halvings(number / 2) : 0; }

// Adds up what the PEs of each row set hold of a row, requantises the rows, as many a cycle as there are row sets, and
// packs them into feature words in their natural order.
//
// \tparam Lanes     pixels in a feature word; a multiple of Pes.
// \tparam SumDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int SumDepth>
void fc_gather(hls::stream<Descriptor>& layers, hls::stream<Accumulator, SumDepth> (&row_sums)[Pes],
               hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  static_assert(Lanes % Pes == 0, "a feature word is filled by whole groups of rows");
  constexpr int kLevels = halvings(Pes);
  const Descriptor layer = layers.read();
  const ap_uint<descriptor::rows::bits> rows = get<descriptor::rows>(layer);
  const ap_uint<8> row_sets = get<descriptor::row_sets>(layer);
  const ap_uint<16> multiplier = get<descriptor::multiplier>(layer);
  const ap_uint<6> shift = get<descriptor::shift>(layer);
  const ap_int<9> minimum = get_signed<descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<descriptor::maximum>(layer);
  FeatureWord<Lanes> packed = 0;
  ap_uint<8> filled = 0;
  for (ap_uint<descriptor::rows::bits> row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II = 1
    Accumulator sums[Pes];
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      sums[pe] = row_sums[pe].read();
    }
    for (int level = 1; level <= kLevels; ++level) {
#pragma HLS UNROLL
      for (int pe = 0; pe < Pes / 2; ++pe) {
#pragma HLS UNROLL
        // What lies beyond Pes >> level has been added at the level before, if the layer has so few row sets.
        if (pe < (Pes >> level) && row_sets <= (Pes >> level)) sums[pe] += sums[pe + (Pes >> level)];
      }
    }
    ap_uint<8 * Pes> group = 0;
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      const ap_uint<8> pixel = requantise(sums[pe], multiplier, shift, minimum, maximum);
      group.range(8 * pe + 7, 8 * pe) = pe < row_sets ? pixel : ap_uint<8>(0);
    }
    packed |= FeatureWord<Lanes>(group) << (filled * 8);
    filled += row_sets;
    if (filled == Lanes || row + 1 == rows) {
      outputs.write(packed);
      packed = 0;
      filled = 0;
    }
  }
}

}  // namespace zeroskip
