// Behind a PE: requantisation, stride, pooling or addition, and packing; one output position per cycle.
#pragma once

#include "requantise.h"
#include "types.h"

namespace zeroskip {

// Finishes `descriptor::channels` output channels of a layer.
//
// A tile's sums come as one word and are taken apart lane by lane. Positions that the stride skips or that lie beyond
// the output's right edge are dropped. Pooling windows do not overlap (kernel == stride == descriptor::pool, 1 for
// none; incomplete windows at the right and lower edge are dropped): maximum or average.
// Where `descriptor::add` is set, each pixel is added to its neighbour on `addends` (a map of the output's shape):
// requantise(pixel * add_multiplier + addend * addend_multiplier).
// Average and sum are requantised with the descriptor's `second_` fields.
// Pixels leave in feature words, each channel filled up with zeros to whole words.
//
// Cycles: descriptor::positions per channel.
//
// \tparam Lanes       pixels in a feature word.
// \tparam MaxColumns  columns of the widest pooled map.
template <int Lanes, int MaxColumns>
void convolver_post(hls::stream<Descriptor>& layers, hls::stream<ScaleWord>& scales,
                    hls::stream<AccumulatorWord<Lanes>>& tile_sums, hls::stream<FeatureWord<Lanes>>& addends,
                    hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<10> pitch = get<descriptor::pitch>(layer);
  const ap_uint<10> columns = get<descriptor::virtual_width>(layer);
  const ap_uint<18> positions = get<descriptor::positions>(layer);
  const ap_uint<3> stride = get<descriptor::stride>(layer);
  const ap_uint<5> pool = get<descriptor::pool>(layer);
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

  ap_int<24> window_rows[MaxColumns];  // per pooled column: the rows of the present windows so far
  ap_int<24> window_row = 0;           // the present row of the present window so far
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ScaleWord scale = 0;
  AccumulatorWord<Lanes> sums = 0;
  FeatureWord<Lanes> addend_word = 0;
  FeatureWord<Lanes> packed = 0;
  ap_uint<18> position = 0;
  ap_uint<8> lane = 0;
  ap_uint<8> filled = 0;
  ap_uint<10> x = 0;
  ap_uint<3> stride_x = 0;
  ap_uint<3> stride_y = 0;
  ap_uint<5> pool_x = 0;
  ap_uint<5> pool_y = 0;
  ap_uint<10> pool_column = 0;
  while (channels_left != 0) {
#pragma HLS PIPELINE II = 1
    if (position == 0) scale = scales.read();
    if (lane == 0) sums = tile_sums.read();
    const Accumulator sum = Accumulator(ap_uint<32>(sums));
    sums >>= 32;
    const ap_uint<8> bits =
        requantise(sum, get<scale_word::multiplier>(scale), get<scale_word::shift>(scale), minimum, maximum);
    const Pixel value = to_pixel(bits, minimum < 0);

    const bool on_grid = x < columns && stride_x == 0 && stride_y == 0;
    const bool window_column_ends = pool_x + 1 == pool;
    const bool window_row_ends = pool_y + 1 == pool;
    bool emit = false;
    ap_int<24> result = 0;
    if (on_grid) {
      const ap_int<24> left = window_row;
      window_row = pool_x == 0 ? ap_int<24>(value)
                   : average   ? ap_int<24>(left + value)
                               : (left > value ? left : ap_int<24>(value));
      if (window_column_ends) {
        const ap_int<24> above = window_rows[pool_column];
        result = pool_y == 0 ? window_row
                 : average   ? ap_int<24>(above + window_row)
                             : (above > window_row ? above : window_row);
        window_rows[pool_column] = result;
        emit = window_row_ends;
        ++pool_column;
        pool_x = 0;
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

    lane = lane + 1 == Lanes ? ap_uint<8>(0) : ap_uint<8>(lane + 1);
    if (x + 1 == pitch) {
      if (stride_y == 0) pool_y = window_row_ends ? ap_uint<5>(0) : ap_uint<5>(pool_y + 1);
      stride_y = stride_y + 1 == stride ? ap_uint<3>(0) : ap_uint<3>(stride_y + 1);
      x = 0;
      stride_x = 0;
      pool_x = 0;
      pool_column = 0;
    } else {
      ++x;
      stride_x = stride_x + 1 == stride ? ap_uint<3>(0) : ap_uint<3>(stride_x + 1);
    }
    if (last_position) {
      position = 0;
      lane = 0;
      x = 0;
      stride_x = 0;
      stride_y = 0;
      pool_x = 0;
      pool_y = 0;
      pool_column = 0;
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
