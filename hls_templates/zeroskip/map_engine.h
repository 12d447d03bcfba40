// The map engine: local response normalisation, pooling with any windows, change of scale; one position a cycle.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// A pooling window with one more value, or the value of another window, in it.
inline ap_int<24> widened(bool average, ap_int<24> window, ap_int<24> value) {
#pragma HLS INLINE
  if (average) return ap_int<24>(window + value);
  return window > value ? window : value;
}

// Runs one layer: a descriptor of layout map_descriptor (kDescriptorWords words), map_descriptor::words words of a
// normalisation's table (16 entries of 16 bits each, lowest first), then a map, channel after channel. A descriptor
// whose map_descriptor::is_map is not set is another engine's, and nothing is done.
//
// Every channel is walked on a grid of last_column + 1 by last_row + 1 positions, on which the map's pixels lie from
// first_column and first_row up to end_column and end_row; the positions around them are padding and take a cycle too.
//
// Pooling: the first window begins at the grid's corner, and a window has ended when the walk has been at its last row
// and column. In each direction a position belongs to at most `Overlap` windows; slot 0 holds the one that began last.
// The window that ends is always in the same slot (`end_slot`), when the walk is at the same distance (`end_phase`)
// from the newest window's beginning. A maximum passes padding over, a sum counts it as zero.
//
// Normalisation, in front of a maximum: channel c leaves while channel c + `before` comes in; behind the last channel
// as many are walked without pixels. The `Channels` - 1 last pixels of each position are kept.
//
// Pixels leave in feature words, each channel filled up with zeros to whole words.
//
// Cycles: kDescriptorWords + words + channels * (last_column + 1) * (last_row + 1).
//
// \tparam Lanes       pixels in a feature word.
// \tparam Columns     columns of the widest pooled map.
// \tparam Overlap     windows that a position belongs to, in each direction, 1..15.
// \tparam Positions   positions of the longest walk over a channel that is normalised.
// \tparam Channels    channels in the largest window of a normalisation, 1..63.
// \tparam TableWords  weight words of the longest table.
template <int Lanes, int Columns, int Overlap, int Positions, int Channels, int TableWords>
void map_engine(hls::stream<WeightWord>& weights, hls::stream<FeatureWord<Lanes>>& features,
                hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  static_assert(Overlap >= 1 && Overlap <= 15, "slots are counted in four bits");
  static_assert(Channels >= 1 && Channels <= 63, "channels of a window are counted in six bits");
  constexpr int kKept = Channels > 1 ? Channels - 1 : 1;  // channels of a window besides the one that comes in
  Descriptor layer = 0;
  for (ap_uint<4> word = 0; word < kDescriptorWords; ++word) {
#pragma HLS PIPELINE II = 1
    // Shifted in from the top: after kDescriptorWords words the first one lies lowest.
    layer = (Descriptor(weights.read()) << (kDescriptorBits - kWeightBits)) | (layer >> kWeightBits);
  }
  if (get<map_descriptor::is_map>(layer) == 0) layer = 0;
  const ap_uint<31> table_words = get<map_descriptor::words>(layer);
  WeightWord table[TableWords];
  for (ap_uint<31> word = 0; word < table_words; ++word) {
#pragma HLS PIPELINE II = 1
    table[word] = weights.read();
  }

  const ap_uint<16> channels = get<map_descriptor::channels>(layer);
  const ap_uint<16> pixel_channels = get<map_descriptor::pixel_channels>(layer);
  const bool input_signed = get<map_descriptor::input_signed>(layer) != 0;
  const ap_uint<11> first_column = get<map_descriptor::first_column>(layer);
  const ap_uint<11> end_column = get<map_descriptor::end_column>(layer);
  const ap_uint<11> last_column = get<map_descriptor::last_column>(layer);
  const ap_uint<11> first_row = get<map_descriptor::first_row>(layer);
  const ap_uint<11> end_row = get<map_descriptor::end_row>(layer);
  const ap_uint<11> last_row = get<map_descriptor::last_row>(layer);
  const ap_uint<10> kernel_column = get<map_descriptor::kernel_column>(layer);
  const ap_uint<10> kernel_row = get<map_descriptor::kernel_row>(layer);
  const ap_uint<10> stride_column = get<map_descriptor::stride_column>(layer);
  const ap_uint<10> stride_row = get<map_descriptor::stride_row>(layer);
  const ap_uint<4> end_slot_x = get<map_descriptor::end_slot_x>(layer);
  const ap_uint<4> end_slot_y = get<map_descriptor::end_slot_y>(layer);
  const ap_uint<10> end_phase_x = get<map_descriptor::end_phase_x>(layer);
  const ap_uint<10> end_phase_y = get<map_descriptor::end_phase_y>(layer);
  const ap_uint<20> last_output = get<map_descriptor::last_output>(layer);
  const bool average = get<map_descriptor::average>(layer) != 0;
  const bool normalise = get<map_descriptor::normalise>(layer) != 0;
  const ap_uint<6> size = get<map_descriptor::size>(layer);
  const ap_uint<6> before = get<map_descriptor::before>(layer);
  const ap_uint<5> index_shift = get<map_descriptor::index_shift>(layer);
  const ap_uint<16> last_index = get<map_descriptor::last_index>(layer);
  const ap_uint<16> multiplier = get<map_descriptor::multiplier>(layer);
  const ap_uint<6> shift = get<map_descriptor::shift>(layer);
  const ap_int<9> minimum = get_signed<map_descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<map_descriptor::maximum>(layer);

  // What a window holds before any value: nothing wins against a value, or adds to it.
  const ap_int<24> empty = average ? ap_int<24>(0) : ap_int<24>(-(1 << 23));
  ap_uint<8 * kKept> history[Positions];  // per position its last pixels, the newest lowest
#pragma HLS BIND_STORAGE variable = history type = ram_2p impl = lutram
  ap_int<24> columns[Columns][Overlap];  // per pooled column and slot: the rows so far of the window in that slot
  ap_int<24> slots[Overlap];             // the present row of the window in that slot so far
#pragma HLS ARRAY_PARTITION variable = columns dim = 2 complete
#pragma HLS ARRAY_PARTITION variable = slots complete
  for (int slot = 0; slot < Overlap; ++slot) {
#pragma HLS UNROLL
    slots[slot] = 0;
  }
  FeatureWord<Lanes> word = 0;
  FeatureWord<Lanes> packed = 0;
  ap_uint<8> lane = 0;
  ap_uint<8> filled = 0;
  ap_uint<16> channel = 0;
  ap_uint<16> position = 0;
  ap_uint<11> x = 0;
  ap_uint<11> y = 0;
  ap_uint<10> phase_x = 0;  // columns since the newest window began
  ap_uint<10> phase_y = 0;
  ap_uint<10> column = 0;  // windows that have ended in this row
  ap_uint<20> output = 0;  // of the channel
  while (channel != channels) {
#pragma HLS PIPELINE II = 1
    const bool in_map = x >= first_column && x < end_column && y >= first_row && y < end_row;
    const bool has_pixel = in_map && channel < pixel_channels;
    if (has_pixel && lane == 0) word = features.read();
    const ap_uint<8> byte = has_pixel ? ap_uint<8>(word) : ap_uint<8>(0);
    if (has_pixel) {
      word >>= 8;
      lane = lane + 1 == Lanes ? ap_uint<8>(0) : ap_uint<8>(lane + 1);
    }

    // Normalisation: the sum of squares around the centre, which is `before` channels back, finds the factor.
    ap_uint<8 * Channels> pixels = byte;
    if (normalise) {
      if (Channels > 1 && channel != 0) pixels |= ap_uint<8 * Channels>(history[position]) << 8;
      history[position] = pixels;
    }
    Pixel centre = 0;
    ap_uint<22> squares = 0;
    for (int place = 0; place < Channels; ++place) {
#pragma HLS UNROLL
      const Pixel neighbour = to_pixel(lane_of<8>(pixels, place), input_signed);
      if (place < size) squares += ap_uint<17>(neighbour * neighbour);
      if (place == before) centre = neighbour;
    }
    const ap_uint<22> bucket = squares >> index_shift;
    const ap_uint<16> index = bucket > last_index ? last_index : ap_uint<16>(bucket);
    const ap_uint<16> factor = ap_uint<16>(table[index >> 4] >> (16 * (index & 15)));
    const ap_uint<8> normalised = requantise(Accumulator(centre), factor, shift, minimum, maximum);
    const Pixel pixel = normalise ? to_pixel(normalised, minimum < 0) : to_pixel(byte, input_signed);

    // Pooling.
    const ap_int<24> value = in_map ? ap_int<24>(pixel) : empty;
    ap_int<24> row = empty;
    for (int slot = Overlap - 1; slot >= 0; --slot) {
#pragma HLS UNROLL
      if (phase_x == 0) slots[slot] = slot == 0 ? empty : slots[slot == 0 ? 0 : slot - 1];
      if (slot < end_slot_x || (slot == end_slot_x && phase_x <= end_phase_x)) {
        slots[slot] = widened(average, slots[slot], value);
      }
      if (slot == end_slot_x) row = slots[slot];
    }
    const bool window_ends = phase_x == end_phase_x && x >= kernel_column;
    ap_int<24> result = 0;
    if (window_ends) {
      ap_int<24> windows[Overlap];
      for (int slot = 0; slot < Overlap; ++slot) {
#pragma HLS UNROLL
        windows[slot] = columns[column][slot];
      }
      for (int slot = Overlap - 1; slot >= 0; --slot) {
#pragma HLS UNROLL
        if (phase_y == 0) windows[slot] = slot == 0 ? empty : windows[slot == 0 ? 0 : slot - 1];
        if (slot < end_slot_y || (slot == end_slot_y && phase_y <= end_phase_y)) {
          windows[slot] = widened(average, windows[slot], row);
        }
        columns[column][slot] = windows[slot];
        if (slot == end_slot_y) result = windows[slot];
      }
      ++column;
    }

    const bool emit = window_ends && phase_y == end_phase_y && y >= kernel_row && channel >= before;
    if (emit) {
      const ap_uint<8> scaled = requantise(Accumulator(result), multiplier, shift, minimum, maximum);
      packed |= FeatureWord<Lanes>(average ? scaled : ap_uint<8>(result)) << (filled * 8);
      ++filled;
      const bool last = output == last_output;
      output = last ? ap_uint<20>(0) : ap_uint<20>(output + 1);
      if (filled == Lanes || last) {
        outputs.write(packed);
        packed = 0;
        filled = 0;
      }
    }

    ++position;
    if (x != last_column) {
      ++x;
      phase_x = phase_x == stride_column ? ap_uint<10>(0) : ap_uint<10>(phase_x + 1);
    } else {
      x = 0;
      phase_x = 0;
      column = 0;
      if (y != last_row) {
        ++y;
        phase_y = phase_y == stride_row ? ap_uint<10>(0) : ap_uint<10>(phase_y + 1);
      } else {
        y = 0;
        phase_y = 0;
        position = 0;
        lane = 0;
        ++channel;
      }
    }
  }
}

}  // namespace zeroskip
