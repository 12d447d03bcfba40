// Decoder of the convolver: from the compressed weights of a block of output channels to entries that a PE can multiply
// with. A block is the `Outputs` channels that a PE computes side by side; an entry holds a weight for each of them.
//
// Packet of a block (units of Outputs + 1 bytes, as many to a word as fit whole, lowest first, after the header words):
//   kernel unit {skip, count}: move on by `skip` input channels; the next `count` units are that kernel's entries. With
//   a
//     count of 0 and a skip other than 255: stay, and send `skip` waiting entries;
//   entry unit {value, row, column}: a weight that is not zero in all of the channels, the 8 + 4 + 4 bits of the format
//     `conv-rc`; above them the values of the block's other channels.
// Where all kernels are of one weight (descriptor::pointwise) there is but one kind of unit, {skip, value} and above
// them the other values: move on by `skip` input channels, to a kernel of that weight; with all values 0 as a kernel
// unit with a count of 0.
// Where packets hold all weights (descriptor::full) a unit is a byte for each channel: the next weight, be it zero, of
// the first input channel's kernel, row after row, then of the next one's.
//
// There is a header word for each channel of the block, of which the first one's counts hold for the packet and each
// one's bias and scale for its channel; a multiplier of 0 says that there is no such channel.
//
// packet::waits waiting entries are sent in front of the units; behind them the packet is filled up to
// packet::round_words words, which are read and dropped.
//
// In front of the packets lie the layer's masks, which are the same for all PEs: mask_bits(Tile) bits each, as many to
// a word as fit, lowest first.
#pragma once

#include "types.h"

namespace zeroskip {

// Unit `index` of a word that holds whole units of `Bytes` bytes.
template <int Bytes>
ap_uint<8 * Bytes> unit_of(const WeightWord& word, int index) {
#pragma HLS INLINE
  if constexpr ((Bytes & (Bytes - 1)) == 0) return lane_of<8 * Bytes>(word, index);
  ap_uint<8 * Bytes> unit = 0;
  for (int place = 0; place < kWeightBits / (8 * Bytes); ++place) {
#pragma HLS UNROLL
    if (place == index) unit = lane_of<8 * Bytes>(word, place);
  }
  return unit;
}

// `down` * `pitch` as a sum of shifted pitches: less than a hundred LUTs, where a product takes a DSP slice.
inline ap_int<15> rows_apart(ap_int<5> down, ap_uint<10> pitch) {
#pragma HLS INLINE
  const ap_uint<14> none = 0;
  const ap_uint<14> one = pitch;
  const ap_uint<12> low = (down[0] ? one : none) + (down[1] ? ap_uint<14>(one << 1) : none);
  const ap_uint<14> high = (down[2] ? ap_uint<14>(one << 2) : none) + (down[3] ? ap_uint<14>(one << 3) : none);
  return ap_int<15>(low + high - (down[4] ? ap_uint<14>(one << 4) : none));
}

// Hands the masks on, a word per cycle, then decodes `descriptor::channels` packets; one unit per cycle, one more cycle
// for each packet's header words and for each word that only fills up.
//
// For each packet: one word to `channels` (count of entries, for the PE), one to each of `scales` (bias and scale, for
// the post-processing), and one to `entries` per entry unit or waiting entry (which has no weight; one per cycle). An
// entry holds the weights, their row and column in the kernel, and the address in the map of the pixel that they meet
// at output position 0.
//
// \tparam Lanes       pixels in a feature word.
// \tparam Outputs     output channels of a block: 1, 2 or 4.
// \tparam ScaleDepth  depth of the streams, deduced.
template <int Lanes, int Outputs, int ScaleDepth>
void decode_convolution(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers,
                        hls::stream<WeightWord>& weights, hls::stream<WeightWord>& masks,
                        hls::stream<ChannelWord>& channels, hls::stream<ScaleWord, ScaleDepth> (&scales)[Outputs],
                        hls::stream<EntryWord<Outputs>>& entries) {
#pragma HLS INLINE off
  constexpr int kUnitBytes = Outputs + 1;
  constexpr int kUnits = kWeightBits / (8 * kUnitBytes);  // of a word
  constexpr int kFullUnits = kWeightBits / (8 * Outputs);
  // With units of one byte and of two their places are counted in bytes, and one choice of two bytes serves both.
  constexpr bool kInBytes = Outputs == 1;
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  const ap_uint<12> plane_words = get<descriptor::plane_words>(layer);
  const ap_uint<10> pitch = get<descriptor::pitch>(layer);
  const ap_uint<4> pad_top = get<descriptor::pad_top>(layer);
  const ap_uint<4> pad_left = get<descriptor::pad_left>(layer);
  const bool pointwise = get<descriptor::pointwise>(layer);
  const bool full = get<descriptor::full>(layer);
  const ap_uint<5> columns = get<descriptor::mask_columns>(layer);
  const ap_uint<5> rows = get<descriptor::mask_rows>(layer);

  ap_uint<descriptor::mask_words::bits> masks_left = get<descriptor::mask_words>(layer);
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ap_uint<packet::units::bits> units_left = 0;
  ap_uint<packet::round_words::bits> words_left = 0;
  ap_uint<8> entries_left = 0;                  // of the present kernel
  ap_uint<packet::waits::bits> waits_left = 0;  // behind the present waiting entry
  ap_uint<16> plane = 0;                        // address of the present input channel, in feature words
  ap_uint<4> full_row = 0;                      // of the next weight, where packets hold all
  ap_uint<4> full_column = 0;
  ap_uint<kUnitsLog + 1> unit_index = 0;  // of the present unit in the present word
  WeightWord word = 0;
  bool header = true;
  ap_uint<2> header_output = 0;  // of the present header word
  while (masks_left != 0 || channels_left != 0) {
#pragma HLS PIPELINE II = 1
    EntryWord<Outputs> entry = 0;
    bool emit = false;
    bool packet_ends = false;
    const bool in_masks = masks_left != 0;
    if (in_masks) {
      masks.write(weights.read());
      --masks_left;
    } else if (header) {
      const WeightWord first = weights.read();
      const ap_uint<2> present = Outputs == 1 ? ap_uint<2>(0) : header_output;
      ScaleWord scale = 0;
      put<scale_word::bias>(scale, get<packet::bias>(first));
      put<scale_word::multiplier>(scale, get<packet::multiplier>(first));
      put<scale_word::shift>(scale, get<packet::shift>(first));
      for (int output = 0; output < Outputs; ++output) {
#pragma HLS UNROLL
        if (present == output) scales[output].write(scale);
      }
      if (present == 0) {
        words_left = get<packet::round_words>(first) - 1;
        ChannelWord channel = 0;
        put<channel_word::entries>(channel, get<packet::entries>(first));
        channels.write(channel);
        units_left = get<packet::units>(first);
        waits_left = get<packet::waits>(first);
        if constexpr (Outputs == 1) packet_ends = units_left == 0 && words_left == 0;
      } else {
        // Which word is the last one does not depend on what it holds: no chain from the stream to the loop's end.
        packet_ends = present + 1 == Outputs && units_left == 0 && words_left == 1;
        --words_left;
      }
      unit_index = 0;
      entries_left = 0;
      plane = 0;
      full_row = 0;
      full_column = 0;
      header = present + 1 != Outputs;
      header_output = header ? ap_uint<2>(present + 1) : ap_uint<2>(0);
    } else if (waits_left != 0) {
      put<entry_word::waits>(entry, 1);
      emit = true;
      --waits_left;
    } else {
      // A word's first unit is taken as it comes, so that the word is kept without a choice in front of its registers.
      ap_uint<8 * kUnitBytes> unit = unit_of<kUnitBytes>(word, kInBytes ? int(unit_index / 2) : int(unit_index));
      ap_uint<8 * Outputs> full_values = unit_of<Outputs>(word, unit_index);
      if (unit_index == 0 || units_left == 0) {
        word = weights.read();
        unit = ap_uint<8 * kUnitBytes>(word);
        full_values = ap_uint<8 * Outputs>(word);
        --words_left;
      }
      if (units_left != 0) {
        const ap_uint<8> skip = get<kernel_unit::skip>(unit);
        const ap_uint<8> count = get<kernel_unit::count>(unit);
        const bool moves = !full && entries_left == 0;
        // No count, or no value; with one channel it is the same byte.
        const bool empty = Outputs == 1 ? count == 0 : (unit >> 8) == 0;
        if (moves && empty && skip != 255) {
          put<entry_word::waits>(entry, 1);
          emit = true;
          waits_left = skip - 1;
        } else {
          if (moves) plane += skip * plane_words;
          ap_uint<4> row = get<entry_unit::row>(unit);
          ap_uint<4> column = get<entry_unit::column>(unit);
          if (full) {
            row = full_row;
            column = full_column;
          } else if (pointwise) {
            row = 0;
            column = 0;
          }
          const ap_int<5> down = ap_int<5>(row - pad_top);
          const ap_int<16> distance = ap_int<16>(rows_apart(down, pitch) + ap_int<5>(column - pad_left));
          const bool upper = full && kInBytes ? unit_index[0] : pointwise;
          put<entry_word::value>(entry, upper ? get<pointwise_unit::value>(unit) : get<entry_unit::value>(unit));
          if constexpr (!kInBytes) {
            if (full) put<entry_word::value>(entry, lane_of<8>(full_values, 0));
            ap_uint<8 * Outputs - 8> others = unit >> 16;
            if (full) others = full_values >> 8;
            entry.range(EntryWord<Outputs>::width - 1, entry_word::kBits) = others;
          }
          put<entry_word::row>(entry, row);
          put<entry_word::column>(entry, column);
          put<entry_word::address>(entry, ap_uint<entry_word::address::bits>(plane * Lanes + distance));
          emit = pointwise ? (Outputs == 1 ? count != 0 : (unit >> 8) != 0) : !moves;
          if (full) {
            if (full_column + 1 != columns) {
              ++full_column;
            } else {
              full_column = 0;
              if (full_row + 1 != rows) {
                ++full_row;
              } else {
                full_row = 0;
                plane += plane_words;
              }
            }
          } else if (!pointwise) {
            entries_left = moves ? count : ap_uint<8>(entries_left - 1);
          }
        }
        unit_index += kInBytes && !full ? 2 : 1;
        if (!kInBytes && unit_index == (full ? kFullUnits : kUnits)) unit_index = 0;
        --units_left;
      }
      packet_ends = units_left == 0 && words_left == 0;
    }
    if (emit) entries.write(entry);
    if (packet_ends) {
      header = true;
      --channels_left;
    }
  }
}

}  // namespace zeroskip
