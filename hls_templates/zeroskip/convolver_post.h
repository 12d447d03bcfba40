// Behind a PE: requantisation, stride, pooling or addition, and packing; one output position per cycle.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// A pooling window with one more value in it.
template <int Bits>
ap_int<Bits> pooled(bool average, ap_int<Bits> window, ap_int<Bits> value) {
#pragma HLS INLINE
  if (average) return ap_int<Bits>(window + value);
  return window > value ? window : value;
}

// Finishes `descriptor::channels` output channels of a layer.
//
// Sums come one by one, without their channel's bias. Positions that the stride skips or that lie beyond
// the output's right edge are dropped. Pooling (maximum or average) has windows of descriptor::pool, 1 for none, every
// descriptor::pool_stride positions; the first one begins descriptor::pool_left (less than the stride) columns and
// pool_top rows before the map. A window overlaps its neighbours and no further one (kernel <= 2 * stride), so that in
// each direction a value belongs to the newest window that has begun and to the one before it at most. Windows that
// do not end within the map are dropped.
// A scale with a multiplier of 0 says that there is no such channel: its sums are taken, and nothing leaves.
// Where `descriptor::add` is set, each pixel is added to its neighbour from `next_addends` (a map of the output's
// shape): requantise(pixel * add_multiplier + addend * addend_multiplier).
// Average and sum are requantised with the descriptor's `second_` fields.
// Pixels leave in feature words, each channel filled up with zeros to whole words. A word leaves in the step behind its
// last pixel's.
//
// Cycles: descriptor::positions + 1 per channel.
//
// \tparam Lanes         pixels in a feature word.
// \tparam MaxColumns    columns of the widest pooled map.
// \tparam SumBits       bits of a sum, with its bias too.
// \tparam Averages      whether a layer may have average pooling.
// \tparam Absent        whether a block may have fewer channels than others.
// \tparam Adds          whether a layer may have an addition.
// \tparam NextAddends   a function without arguments: the next word of the map that is added.
template <int Lanes, int MaxColumns, int SumBits, bool Averages, bool Absent, bool Adds, typename NextAddends>
void finish_channels(hls::stream<Descriptor>& layers, hls::stream<ScaleWord>& scales,
                     hls::stream<ap_uint<SumBits>>& tile_sums, hls::stream<FeatureWord<Lanes>>& outputs,
                     NextAddends next_addends) {
#pragma HLS INLINE
  constexpr int kWindowBits = Averages ? 24 : 9;
  using Window = ap_int<kWindowBits>;
  const Descriptor layer = layers.read();
  const ap_uint<10> pitch = get<descriptor::pitch>(layer);
  const ap_uint<10> columns = get<descriptor::virtual_width>(layer);
  const ap_uint<18> positions = get<descriptor::positions>(layer);
  const ap_uint<3> stride = get<descriptor::stride>(layer);
  const ap_uint<5> pool = get<descriptor::pool>(layer);
  const ap_uint<5> pool_stride = get<descriptor::pool_stride>(layer);
  const ap_uint<5> pool_top = get<descriptor::pool_top>(layer);
  const ap_uint<5> pool_left = get<descriptor::pool_left>(layer);
  const bool average = Averages && get<descriptor::pool_average>(layer) != 0;
  const ap_int<9> minimum = get_signed<descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<descriptor::maximum>(layer);
  const bool add = Adds && get<descriptor::add>(layer) != 0;
  const bool addend_signed = get<descriptor::addend_signed>(layer) != 0;
  const ap_uint<16> add_multiplier = get<descriptor::add_multiplier>(layer);
  const ap_uint<16> addend_multiplier = get<descriptor::addend_multiplier>(layer);
  const ap_uint<16> second_multiplier = get<descriptor::second_multiplier>(layer);
  const ap_uint<6> second_shift = get<descriptor::second_shift>(layer);
  const ap_int<9> second_minimum = get_signed<descriptor::second_minimum>(layer);
  const ap_int<9> second_maximum = get_signed<descriptor::second_maximum>(layer);

  // What a window holds before any value: nothing wins against a value, or adds to it.
  const Window empty = average ? Window(0) : Window(-(1 << (kWindowBits - 1)));
  Window newest_rows[MaxColumns];  // per pooled column: the newest window's rows so far
  Window older_rows[MaxColumns];   // the same of the window above it
  Window newest = empty;           // the present row of the newest window so far
  Window older = empty;            // the same of the window left of it
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ScaleWord scale = 0;
  FeatureWord<Lanes> addend_word = 0;
  ap_uint<8> packed[Lanes];
#pragma HLS ARRAY_PARTITION variable = packed complete
  ap_uint<18> position = 0;
  ap_uint<8> filled = 0;
  ap_uint<10> x = 0;
  ap_uint<3> stride_x = 0;
  ap_uint<3> stride_y = 0;
  ap_uint<5> pool_x = pool_left;  // columns since the newest window began
  ap_uint<5> pool_y = pool_top;
  ap_uint<10> pool_column = 0;  // the newest window
  ap_uint<10> pool_row = 0;
  bool first_row = true;
  bool word_ends = false;     // in the step before
  bool channel_ends = false;  // in the step before
  while (channels_left != 0 || channel_ends) {
#pragma HLS PIPELINE II = 1
    if (word_ends) {
      FeatureWord<Lanes> word = 0;
      for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
        word.range(8 * lane + 7, 8 * lane) = packed[lane];
      }
      outputs.write(word);
      word_ends = false;
    }
    if (channel_ends) {
      channel_ends = false;
      continue;
    }
    if (position == 0) scale = scales.read();
    const ap_int<SumBits> sum = ap_int<SumBits>(tile_sums.read() + get<scale_word::bias>(scale));
    const ap_uint<8> bits =
        requantise(sum, get<scale_word::multiplier>(scale), get<scale_word::shift>(scale), minimum, maximum);
    const Pixel value = to_pixel(bits, minimum < 0);

    const bool on_grid = x < columns && stride_x == 0 && stride_y == 0;
    const bool is_channel = !Absent || get<scale_word::multiplier>(scale) != 0;
    const bool older_column_ends = pool_column != 0 && pool_x + pool_stride + 1 == pool;
    const bool older_row_ends = pool_row != 0 && pool_y + pool_stride + 1 == pool;
    const bool row_ends = older_row_ends || pool_y + 1 == pool;
    bool emit = false;
    Window result = 0;
    if (on_grid) {
      if (pool_x == 0) {
        older = newest;
        newest = empty;
      }
      if (pool_x < pool) newest = pooled<kWindowBits>(average, newest, value);
      if (pool_x + pool_stride < pool) older = pooled<kWindowBits>(average, older, value);
      if (older_column_ends || pool_x + 1 == pool) {
        const Window row = older_column_ends ? older : newest;
        const ap_uint<10> column = older_column_ends ? ap_uint<10>(pool_column - 1) : pool_column;
        const Window kept = first_row ? empty : newest_rows[column];
        Window below = pool_y == 0 ? empty : kept;
        Window above = pool_y == 0 ? kept : older_rows[column];
        if (pool_y < pool) below = pooled<kWindowBits>(average, below, row);
        if (pool_y + pool_stride < pool) above = pooled<kWindowBits>(average, above, row);
        newest_rows[column] = below;
        older_rows[column] = above;
        result = older_row_ends ? above : below;
        emit = row_ends && is_channel;
      }
      if (pool_x + 1 == pool_stride) {
        pool_x = 0;
        ++pool_column;
      } else {
        ++pool_x;
      }
    }

    const bool last_position = position + 1 == positions;
    if (emit) {
      ap_uint<8> pixel = ap_uint<8>(result);
      if constexpr (Averages || Adds) {
        if (add && filled == 0) addend_word = next_addends();
        const Pixel addend = to_pixel(lane_of<8>(addend_word, filled % Lanes), addend_signed);
        const Accumulator sum_of_both =
            Accumulator(value * ap_int<17>(add_multiplier) + addend * ap_int<17>(addend_multiplier));
        const ap_uint<8> second = requantise(add ? sum_of_both : Accumulator(result), second_multiplier, second_shift,
                                             second_minimum, second_maximum);
        if (add || average) pixel = second;
      }
      // Not cleared and set at once, so that all lanes have one reset.
      if (filled == 0) {
        packed[0] = pixel;
        for (int lane = 1; lane < Lanes; ++lane) {
#pragma HLS UNROLL
          packed[lane] = 0;
        }
      } else {
        packed[filled] = pixel;
      }
      ++filled;
    }
    if (filled == Lanes || (last_position && filled != 0)) {
      word_ends = true;
      filled = 0;
    }

    if (x + 1 == pitch) {
      if (stride_y == 0) {
        first_row = false;
        if (pool_y + 1 == pool_stride) {
          pool_y = 0;
          ++pool_row;
        } else {
          ++pool_y;
        }
      }
      stride_y = stride_y + 1 == stride ? ap_uint<3>(0) : ap_uint<3>(stride_y + 1);
      x = 0;
      stride_x = 0;
      pool_x = pool_left;
      pool_column = 0;
      newest = empty;
    } else {
      ++x;
      stride_x = stride_x + 1 == stride ? ap_uint<3>(0) : ap_uint<3>(stride_x + 1);
    }
    channel_ends = last_position;
    if (last_position) {
      position = 0;
      x = 0;
      stride_x = 0;
      stride_y = 0;
      pool_x = pool_left;
      pool_y = pool_top;
      pool_column = 0;
      pool_row = 0;
      newest = empty;
      first_row = true;
      --channels_left;
    } else {
      ++position;
    }
  }
}

// `finish_channels` for layers with an addition too.
template <int Lanes, int MaxColumns, int SumBits, bool Averages, bool Absent>
void convolver_post(hls::stream<Descriptor>& layers, hls::stream<ScaleWord>& scales,
                    hls::stream<ap_uint<SumBits>>& tile_sums, hls::stream<FeatureWord<Lanes>>& addends,
                    hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  finish_channels<Lanes, MaxColumns, SumBits, Averages, Absent, true>(layers, scales, tile_sums, outputs,
                                                                      [&]() { return addends.read(); });
}

// `finish_channels` for layers without an addition.
template <int Lanes, int MaxColumns, int SumBits, bool Averages, bool Absent>
void convolver_post(hls::stream<Descriptor>& layers, hls::stream<ScaleWord>& scales,
                    hls::stream<ap_uint<SumBits>>& tile_sums, hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  finish_channels<Lanes, MaxColumns, SumBits, Averages, Absent, false>(layers, scales, tile_sums, outputs,
                                                                       []() { return FeatureWord<Lanes>(0); });
}

// A word from stream `source`, one of the `Count` from `First` on.
//
// Each bit of `source` halves what is left to choose from: comparing it with each place would take more LUTs.
template <int First, int Count, int Bits, int Depth, int Streams>
ap_uint<Bits> read_from(hls::stream<ap_uint<Bits>, Depth> (&streams)[Streams], ap_uint<8> source) {
#pragma HLS INLINE
  if constexpr (Count == 1) {
    return streams[First].read();
  } else {
    constexpr int kHalf = floor_power_of_two(Count - 1);
    return (source & kHalf) != 0 ? read_from<First + kHalf, Count - kHalf, Bits, Depth, Streams>(streams, source)
                                 : read_from<First, kHalf, Bits, Depth, Streams>(streams, source);
  }
}

// Gathers the output channels of a layer, in the order of the schedule: channel c from the post-processing number
// c mod Posts. One feature word per cycle.
//
// \tparam Posts        output channels that all PEs compute side by side.
// \tparam OutputDepth  depth of the streams, deduced.
template <int Lanes, int Posts, int OutputDepth>
void collect(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>, OutputDepth> (&pe_outputs)[Posts],
             hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<32> words = get<descriptor::output_words>(layer);
  const ap_uint<12> channel_words = get<descriptor::channel_words>(layer);
  ap_uint<12> channel_word = 0;
  ap_uint<8> source = 0;
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    outputs.write(read_from<0, Posts, 8 * Lanes, OutputDepth, Posts>(pe_outputs, source));
    if (channel_word + 1 == channel_words) {
      channel_word = 0;
      source = source + 1 == Posts ? ap_uint<8>(0) : ap_uint<8>(source + 1);
    } else {
      ++channel_word;
    }
  }
}

}  // namespace zeroskip
