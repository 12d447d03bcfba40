// Behind a PE: requantisation, stride, pooling or addition, and packing; one output position per cycle.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// A pooling window with one more value in it.
inline ap_int<24> pooled(bool average, ap_int<24> window, ap_int<24> value) {
#pragma HLS INLINE
  if (average) return ap_int<24>(window + value);
  return window > value ? window : value;
}

// Finishes `descriptor::channels` output channels of a layer.
//
// A tile's sums come as one word and are taken apart one by one. Positions that the stride skips or that lie beyond
// the output's right edge are dropped. Pooling (maximum or average) has windows of descriptor::pool, 1 for none, every
// descriptor::pool_stride positions; the first one begins descriptor::pool_left (less than the stride) columns and
// pool_top rows before the map. A window overlaps its neighbours and no further one (kernel <= 2 * stride), so that in
// each direction a value belongs to the newest window that has begun and to the one before it at most. Windows that
// do not end within the map are dropped.
// Where `descriptor::add` is set, each pixel is added to its neighbour on `addends` (a map of the output's shape):
// requantise(pixel * add_multiplier + addend * addend_multiplier).
// Average and sum are requantised with the descriptor's `second_` fields.
// Pixels leave in feature words, each channel filled up with zeros to whole words.
//
// Cycles: descriptor::positions per channel.
//
// \tparam Lanes       pixels in a feature word.
// \tparam Tile        sums in a tile.
// \tparam MaxColumns  columns of the widest pooled map.
template <int Lanes, int Tile, int MaxColumns>
void convolver_post(hls::stream<Descriptor>& layers, hls::stream<ScaleWord>& scales,
                    hls::stream<AccumulatorWord<Tile>>& tile_sums, hls::stream<FeatureWord<Lanes>>& addends,
                    hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<10> pitch = get<descriptor::pitch>(layer);
  const ap_uint<10> columns = get<descriptor::virtual_width>(layer);
  const ap_uint<18> positions = get<descriptor::positions>(layer);
  const ap_uint<3> stride = get<descriptor::stride>(layer);
  const ap_uint<5> pool = get<descriptor::pool>(layer);
  const ap_uint<5> pool_stride = get<descriptor::pool_stride>(layer);
  const ap_uint<5> pool_top = get<descriptor::pool_top>(layer);
  const ap_uint<5> pool_left = get<descriptor::pool_left>(layer);
  const bool average = get<descriptor::pool_average>(layer) != 0;
  const ap_int<9> minimum = get_signed<descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<descriptor::maximum>(layer);
  const bool add = get<descriptor::add>(layer) != 0;
  const bool addend_signed = get<descriptor::addend_signed>(layer) != 0;
  const ap_uint<16> add_multiplier = get<descriptor::add_multiplier>(layer);
  const ap_uint<16> addend_multiplier = get<descriptor::addend_multiplier>(layer);
  const ap_uint<16> second_multiplier = get<descriptor::second_multiplier>(layer);
  const ap_uint<6> second_shift = get<descriptor::second_shift>(layer);
  const ap_int<9> second_minimum = get_signed<descriptor::second_minimum>(layer);
  const ap_int<9> second_maximum = get_signed<descriptor::second_maximum>(layer);

  // What a window holds before any value: nothing wins against a value, or adds to it.
  const ap_int<24> empty = average ? ap_int<24>(0) : ap_int<24>(-(1 << 23));
  ap_int<24> newest_rows[MaxColumns];  // per pooled column: the newest window's rows so far
  ap_int<24> older_rows[MaxColumns];   // the same of the window above it
  ap_int<24> newest = empty;           // the present row of the newest window so far
  ap_int<24> older = empty;            // the same of the window left of it
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ScaleWord scale = 0;
  AccumulatorWord<Tile> sums = 0;
  FeatureWord<Lanes> addend_word = 0;
  FeatureWord<Lanes> packed = 0;
  ap_uint<18> position = 0;
  ap_uint<8> place = 0;  // in the tile
  ap_uint<8> filled = 0;
  ap_uint<10> x = 0;
  ap_uint<3> stride_x = 0;
  ap_uint<3> stride_y = 0;
  ap_uint<5> pool_x = pool_left;  // columns since the newest window began
  ap_uint<5> pool_y = pool_top;
  ap_uint<10> pool_column = 0;  // the newest window
  ap_uint<10> pool_row = 0;
  bool first_row = true;
  while (channels_left != 0) {
#pragma HLS PIPELINE II = 1
    if (position == 0) scale = scales.read();
    if (place == 0) sums = tile_sums.read();
    const Accumulator sum = Accumulator(ap_uint<32>(sums));
    sums >>= 32;
    const ap_uint<8> bits =
        requantise(sum, get<scale_word::multiplier>(scale), get<scale_word::shift>(scale), minimum, maximum);
    const Pixel value = to_pixel(bits, minimum < 0);

    const bool on_grid = x < columns && stride_x == 0 && stride_y == 0;
    const bool older_column_ends = pool_column != 0 && pool_x + pool_stride + 1 == pool;
    const bool older_row_ends = pool_row != 0 && pool_y + pool_stride + 1 == pool;
    const bool row_ends = older_row_ends || pool_y + 1 == pool;
    bool emit = false;
    ap_int<24> result = 0;
    if (on_grid) {
      if (pool_x == 0) {
        older = newest;
        newest = empty;
      }
      if (pool_x < pool) newest = pooled(average, newest, value);
      if (pool_x + pool_stride < pool) older = pooled(average, older, value);
      if (older_column_ends || pool_x + 1 == pool) {
        const ap_int<24> row = older_column_ends ? older : newest;
        const ap_uint<10> column = older_column_ends ? ap_uint<10>(pool_column - 1) : pool_column;
        const ap_int<24> kept = first_row ? empty : newest_rows[column];
        ap_int<24> below = pool_y == 0 ? empty : kept;
        ap_int<24> above = pool_y == 0 ? kept : older_rows[column];
        if (pool_y < pool) below = pooled(average, below, row);
        if (pool_y + pool_stride < pool) above = pooled(average, above, row);
        newest_rows[column] = below;
        older_rows[column] = above;
        result = older_row_ends ? above : below;
        emit = row_ends;
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
      if (add && filled == 0) addend_word = addends.read();
      const Pixel addend = to_pixel(ap_uint<8>(addend_word), addend_signed);
      addend_word >>= 8;
      const Accumulator sum_of_both =
          Accumulator(value * ap_int<17>(add_multiplier) + addend * ap_int<17>(addend_multiplier));
      const ap_uint<8> second = requantise(add ? sum_of_both : Accumulator(result), second_multiplier, second_shift,
                                           second_minimum, second_maximum);
      const ap_uint<8> pixel = add || average ? second : ap_uint<8>(result);
      packed |= FeatureWord<Lanes>(pixel) << (filled * 8);
      ++filled;
    }
    if (filled == Lanes || (last_position && filled != 0)) {
      outputs.write(packed);
      packed = 0;
      filled = 0;
    }

    place = place + 1 == Tile ? ap_uint<8>(0) : ap_uint<8>(place + 1);
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
    if (last_position) {
      position = 0;
      place = 0;
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

// Gathers the output channels of a layer from the PEs, in the order of the schedule: channel c from PE c mod Pes.
// One feature word per cycle.
//
// \tparam OutputDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int OutputDepth>
void collect(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>, OutputDepth> (&pe_outputs)[Pes],
             hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<32> words = get<descriptor::output_words>(layer);
  const ap_uint<12> channel_words = get<descriptor::channel_words>(layer);
  ap_uint<12> channel_word = 0;
  ap_uint<8> source = 0;
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    FeatureWord<Lanes> value = 0;
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      if (source == pe) value = pe_outputs[pe].read();
    }
    outputs.write(value);
    if (channel_word + 1 == channel_words) {
      channel_word = 0;
      source = source + 1 == Pes ? ap_uint<8>(0) : ap_uint<8>(source + 1);
    } else {
      ++channel_word;
    }
  }
}

}  // namespace zeroskip
