// Processing element of the sparse convolver: one weight a cycle, multiplied with `Lanes` neighbouring pixels.
//
// The input map lies in the PE row after row, channel after channel, in feature words. Lane l of tile t holds output
// position t * Lanes + l of the grid with the *input's* pitch; for a weight at (row, column) of a kernel every lane's
// input pixel is then the same distance away: one unaligned read of `Lanes` pixels. Lanes whose input pixel would lie
// beyond an edge of the map see a zero, so that padding costs neither memory nor cycles.
#pragma once

#include "types.h"

namespace zeroskip {

// Copies the input map of one layer to every PE, then deals out the map that is added to the layer's output, if there
// is one: its channels come in the order of the layer's output channels, and channel c goes to PE c mod Pes.
//
// One feature word per cycle.
//
// \tparam MapDepth, AddendDepth  depths of the streams, deduced.
template <int Lanes, int Pes, int MapDepth, int AddendDepth>
void broadcast(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>>& features,
               hls::stream<FeatureWord<Lanes>, MapDepth> (&maps)[Pes],
               hls::stream<FeatureWord<Lanes>, AddendDepth> (&addends)[Pes]) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<32> map_words = get<descriptor::map_words>(layer);
  const ap_uint<32> words = get<descriptor::feature_words>(layer);
  const ap_uint<12> channel_words = get<descriptor::channel_words>(layer);
  ap_uint<12> channel_word = 0;
  ap_uint<8> target = 0;
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const FeatureWord<Lanes> value = features.read();
    const bool in_map = word < map_words;
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      if (in_map) maps[pe].write(value);
      if (!in_map && target == pe) addends[pe].write(value);
    }
    if (!in_map) {
      if (channel_word + 1 == channel_words) {
        channel_word = 0;
        target = target + 1 == Pes ? ap_uint<8>(0) : ap_uint<8>(target + 1);
      } else {
        ++channel_word;
      }
    }
  }
}

// Where a lane stands on the output grid. It moves by a whole tile at a time.
struct LanePosition {
  ap_int<12> x;
  ap_int<12> y;

  // Moves on by `step_x` < pitch columns and `step_y` rows.
  void advance(ap_uint<10> step_x, ap_uint<10> step_y, ap_uint<10> pitch) {
#pragma HLS INLINE
    const ap_int<12> moved = ap_int<12>(x + step_x);
    const bool wraps = moved >= pitch;
    x = wraps ? ap_int<12>(moved - pitch) : moved;
    y = ap_int<12>(y + step_y + (wraps ? 1 : 0));
  }
};

// Computes `descriptor::channels` output channels of a layer.
//
// Order: channel, tile, entry. A channel's entries come from the stream while its first tile is computed, and from
// `list` for the tiles after it; so loading weights costs no cycle. One entry per cycle; the sums of a tile leave in
// the cycle of its last entry. The map is loaded before: max(descriptor::map_words, Lanes) cycles.
//
// \tparam Lanes       pixels in a feature word, multipliers of the PE: 1..128.
// \tparam MapWords    feature words of the largest input map; a power of two.
// \tparam MaxEntries  entries of the longest output channel.
template <int Lanes, int MapWords, int MaxEntries>
void convolver_pe(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers,
                  hls::stream<FeatureWord<Lanes>>& maps, hls::stream<ChannelWord>& channels,
                  hls::stream<EntryWord>& entries, hls::stream<AccumulatorWord<Lanes>>& tile_sums) {
#pragma HLS INLINE off
  static_assert((MapWords & (MapWords - 1)) == 0, "addresses wrap at a power of two");
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  const ap_uint<32> map_words = get<descriptor::map_words>(layer);
  const ap_uint<10> pitch = get<descriptor::pitch>(layer);
  const ap_uint<10> height = get<descriptor::height>(layer);
  const ap_uint<10> step_x = get<descriptor::step_x>(layer);
  const ap_uint<10> step_y = get<descriptor::step_y>(layer);
  const ap_uint<12> tiles = get<descriptor::tiles>(layer);
  const bool input_signed = get<descriptor::input_signed>(layer) != 0;

  // Two banks, so that two neighbouring words are read in one cycle.
  FeatureWord<Lanes> even_words[MapWords / 2];
  FeatureWord<Lanes> odd_words[MapWords / 2];
  LanePosition origin[Lanes];  // of the lanes in tile 0
#pragma HLS ARRAY_PARTITION variable = origin complete
  LanePosition next_origin;
  next_origin.x = 0;
  next_origin.y = 0;
  const ap_uint<32> load_steps = map_words == 0 || map_words > Lanes ? map_words : ap_uint<32>(Lanes);
  for (ap_uint<32> word = 0; word < load_steps; ++word) {
#pragma HLS PIPELINE II = 1
    if (word < map_words) {
      const FeatureWord<Lanes> value = maps.read();
      const ap_uint<16> bank_address = ap_uint<16>(word >> 1) & (MapWords / 2 - 1);
      if (word[0]) {
        odd_words[bank_address] = value;
      } else {
        even_words[bank_address] = value;
      }
    }
    if (word < Lanes) {
      for (int lane = 0; lane + 1 < Lanes; ++lane) {
#pragma HLS UNROLL
        origin[lane] = origin[lane + 1];
      }
      origin[Lanes - 1] = next_origin;
      next_origin.advance(1, 0, pitch);
    }
  }

  Accumulator sums[Lanes];
  LanePosition positions[Lanes];
  EntryWord list[MaxEntries];
#pragma HLS ARRAY_PARTITION variable = sums complete
#pragma HLS ARRAY_PARTITION variable = positions complete
  for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
    sums[lane] = 0;
    positions[lane] = origin[lane];
  }
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ChannelWord channel = 0;
  ap_uint<12> tile = 0;
  ap_uint<channel_word::entries::bits> index = 0;
  while (channels_left != 0) {
#pragma HLS PIPELINE II = 1
    const bool first_entry = index == 0;
    if (tile == 0 && first_entry) channel = channels.read();
    EntryWord entry;
    if (tile == 0) {
      entry = entries.read();
      list[index] = entry;
    } else {
      entry = list[index];
    }

    // The unaligned read: words `address` and `address` + 1, turned until the wanted pixel is lane 0.
    const ap_uint<16> address = ap_uint<16>(get<entry_word::address>(entry) + tile) & (MapWords - 1);
    const ap_uint<16> next_address = ap_uint<16>(address + 1) & (MapWords - 1);
    const FeatureWord<Lanes> even_word = even_words[(address[0] ? next_address : address) >> 1];
    const FeatureWord<Lanes> odd_word = odd_words[(address[0] ? address : next_address) >> 1];
    const ap_uint<16 * Lanes> low_word = address[0] ? odd_word : even_word;
    const ap_uint<16 * Lanes> high_word = address[0] ? even_word : odd_word;
    const ap_uint<16 * Lanes> both = (high_word << (8 * Lanes)) | low_word;
    const FeatureWord<Lanes> pixels = FeatureWord<Lanes>(both >> (get<entry_word::lane>(entry) * 8));

    const ap_int<8> weight = get_signed<entry_word::value>(entry);
    const ap_int<5> row = get_signed<entry_word::row>(entry);
    const ap_int<5> column = get_signed<entry_word::column>(entry);
    const Accumulator bias = get_signed<channel_word::bias>(channel);
    const bool last_entry = index + 1 == get<channel_word::entries>(channel);
    const bool last_tile = tile + 1 == tiles;
    AccumulatorWord<Lanes> results = 0;
    for (int lane = 0; lane < Lanes; ++lane) {
#pragma HLS UNROLL
      const ap_int<13> x = positions[lane].x + column;
      const ap_int<13> y = positions[lane].y + row;
      const bool inside = x >= 0 && x < pitch && y >= 0 && y < height;
      const Pixel pixel = inside ? to_pixel(lane_of<8>(pixels, lane), input_signed) : Pixel(0);
      const Accumulator before = first_entry ? bias : sums[lane];
      sums[lane] = Accumulator(before + weight * pixel);
      results.range(32 * lane + 31, 32 * lane) = ap_uint<32>(sums[lane]);
      if (last_entry) {
        positions[lane].advance(step_x, step_y, pitch);
        if (last_tile) positions[lane] = origin[lane];
      }
    }
    if (last_entry) {
      tile_sums.write(results);
      index = 0;
      tile = last_tile ? ap_uint<12>(0) : ap_uint<12>(tile + 1);
      if (last_tile) --channels_left;
    } else {
      ++index;
    }
  }
}

}  // namespace zeroskip
