// Processing element of the sparse convolver: one weight a cycle, multiplied with `Tile` neighbouring pixels.
//
// The input map lies in the PE row after row, channel after channel, in feature words. Multiplier m of tile t works on
// output position t * Tile + m of the grid with the *input's* pitch; for a weight at (row, column) of a kernel every
// multiplier's input pixel is then the same distance away: one unaligned read of `Tile` pixels. Multipliers whose input
// pixel would lie beyond an edge of the map see a zero, so that padding costs neither memory nor cycles.
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

// The largest power of two that is no greater.
constexpr int floor_power_of_two(int number) { return number < 2 ? 1 : 2 * floor_power_of_two(number / 2); }

// Bits of a mask on the weight stream: a power of two, 8 at least.
constexpr int mask_bits(int tile, int bits = 8) { return tile <= bits ? bits : mask_bits(tile, 2 * bits); }

// Computes `descriptor::channels` output channels of a layer.
//
// Order: channel, tile, entry. A channel's entries come from the stream while its first tile is computed, and from
// `list` for the tiles after it; so loading weights costs no cycle. One entry per cycle; the sums of a tile leave in
// the cycle of its last entry.
//
// The map is loaded meanwhile, a word per cycle: a channel's entries go through the input channels in the order in
// which they come. Where the first channel's first tile would overtake the loading, its entries hold waiting ones,
// placed offline, and the tile does not end before the map is there.
//
// Which pixels of a tile lie inside the map, for a weight of a kernel's column or row, was computed offline: a mask for
// each tile and column, and one for each tile and row, as many to a word as fit. They are loaded first, a word per
// cycle.
//
// The map lies in rows of one feature word, or of two where a tile is a whole word, over banks with an address each:
// bank b holds pixels b * kBank .. of every row. A read that begins in bank t takes banks t .. of one row and those
// before t of the next one: one read a bank, and a row's worth of pixels, of which the last kBank - 1 may be of no use,
// as the read may begin within a bank. So banks are as wide as a tile leaves pixels of a row over.
//
// \tparam Lanes       pixels in a feature word; a power of two.
// \tparam Tile        positions computed at once, multipliers of the PE: 1..Lanes.
// \tparam MapWords    feature words of the largest input map; a power of two.
// \tparam MaxEntries  entries of the longest output channel.
// \tparam MaskWords   most words of a layer's masks of columns, or of rows.
template <int Lanes, int Tile, int MapWords, int MaxEntries, int MaskWords>
void convolver_pe(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers,
                  hls::stream<FeatureWord<Lanes>>& maps, hls::stream<WeightWord>& masks,
                  hls::stream<ChannelWord>& channels, hls::stream<EntryWord>& entries,
                  hls::stream<AccumulatorWord<Tile>>& tile_sums) {
#pragma HLS INLINE off
  static_assert((MapWords & (MapWords - 1)) == 0 && (Lanes & (Lanes - 1)) == 0, "addresses wrap at a power of two");
  static_assert(Tile >= 1 && Tile <= Lanes, "a tile is read in one cycle");
  constexpr int kRowWords = Tile == Lanes ? 2 : 1;
  constexpr int kRow = kRowWords * Lanes;
  constexpr int kRows = MapWords / kRowWords;
  constexpr int kBank = floor_power_of_two(kRow - Tile + 1);
  constexpr int kBanks = kRow / kBank;
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  const ap_uint<32> map_words = get<descriptor::map_words>(layer);
  const ap_uint<12> tiles = get<descriptor::tiles>(layer);
  const ap_uint<5> mask_columns = get<descriptor::mask_columns>(layer);
  const ap_uint<5> mask_rows = get<descriptor::mask_rows>(layer);
  const ap_uint<descriptor::mask_words::bits> column_mask_words = get<descriptor::column_mask_words>(layer);
  const ap_uint<descriptor::mask_words::bits> mask_words = get<descriptor::mask_words>(layer);
  const bool input_signed = get<descriptor::input_signed>(layer) != 0;

  FeatureWord<kBank> banks[kBanks][kRows];
#pragma HLS ARRAY_PARTITION variable = banks dim = 1 complete
  constexpr int kMaskBits = mask_bits(Tile);
  constexpr int kMasksPerWord = kWeightBits / kMaskBits;
  WeightWord column_masks[MaskWords];  // of tile 0, column after column, then of tile 1, ..
  WeightWord row_masks[MaskWords];
  for (ap_uint<descriptor::mask_words::bits> word = 0; word < mask_words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord mask = masks.read();
    if (word < column_mask_words) {
      column_masks[word] = mask;
    } else {
      row_masks[word - column_mask_words] = mask;
    }
  }

  Accumulator sums[Tile];
  EntryWord list[MaxEntries];
#pragma HLS ARRAY_PARTITION variable = sums complete
  for (int place = 0; place < Tile; ++place) {
#pragma HLS UNROLL
    sums[place] = 0;
  }
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ChannelWord channel = 0;
  ap_uint<12> tile = 0;
  ap_uint<entry_word::address::bits> tile_start = 0;  // the tile's first position
  ap_uint<17> tile_columns = 0;                       // the tile's first mask of columns
  ap_uint<17> tile_rows = 0;
  ap_uint<channel_word::entries::bits> index = 0;
  bool new_channel = true;
  ap_uint<32> loaded = 0;
  while (channels_left != 0 || loaded != map_words) {
#pragma HLS PIPELINE II = 1
// Waiting entries keep a read `kChase` words behind the loading at least: longer than a write takes.
#pragma HLS DEPENDENCE variable = banks inter false
    if (loaded != map_words) {
      const FeatureWord<Lanes> value = maps.read();
      for (int bank = 0; bank < kBanks; ++bank) {
#pragma HLS UNROLL
        if (bank * kBank / Lanes == int(loaded % kRowWords)) {
          banks[bank][loaded / kRowWords % kRows] = lane_of<8 * kBank>(value, bank % (Lanes / kBank));
        }
      }
      ++loaded;
    }
    const bool works = channels_left != 0;
    const bool first_entry = index == 0;
    EntryWord entry = 0;
    bool waits = false;
    if (works) {
      if (new_channel) channel = channels.read();
      new_channel = false;
      if (tile == 0) {
        entry = entries.read();
        waits = get<entry_word::waits>(entry) != 0;
        list[index] = entry;
      } else {
        entry = list[index];
      }
    }

    // The unaligned read, turned by whole banks and then by the pixels that lie before the first one in its bank.
    const ap_uint<entry_word::address::bits> first = get<entry_word::address>(entry) + tile_start;
    const ap_uint<8> first_bank = ap_uint<8>(first / kBank % kBanks);
    const ap_uint<16> row_address = ap_uint<16>(first / kRow % kRows);
    const ap_uint<16> next_address = ap_uint<16>((row_address + 1) % kRows);
    FeatureWord<kRow> read = 0;
    for (int bank = 0; bank < kBanks; ++bank) {
#pragma HLS UNROLL
      const FeatureWord<kBank> part = banks[bank][bank < first_bank ? next_address : row_address];
      read.range(8 * kBank * bank + 8 * kBank - 1, 8 * kBank * bank) = part;
    }
    const ap_uint<16 * kRow> twice = (ap_uint<16 * kRow>(read) << (8 * kRow)) | read;
    const FeatureWord<kRow> turned = FeatureWord<kRow>(twice >> (first_bank * (8 * kBank)));
    const FeatureWord<Lanes> pixels = FeatureWord<Lanes>(turned >> (ap_uint<8>(first % kBank) * 8));
    const ap_uint<17> column_mask = tile_columns + get<entry_word::column>(entry);
    const ap_uint<17> row_mask = tile_rows + get<entry_word::row>(entry);
    const ap_uint<kMaskBits> inside =
        lane_of<kMaskBits>(column_masks[column_mask / kMasksPerWord], column_mask % kMasksPerWord) &
        lane_of<kMaskBits>(row_masks[row_mask / kMasksPerWord], row_mask % kMasksPerWord);

    const ap_int<8> weight = get_signed<entry_word::value>(entry);
    const Accumulator bias = get_signed<channel_word::bias>(channel);
    const bool last_entry = works && !waits && index + 1 == get<channel_word::entries>(channel);
    const bool last_tile = tile + 1 == tiles;
    AccumulatorWord<Tile> results = 0;
    for (int place = 0; place < Tile; ++place) {
#pragma HLS UNROLL
      const Pixel pixel = inside[place] ? to_pixel(lane_of<8>(pixels, place), input_signed) : Pixel(0);
      const Accumulator before = first_entry ? bias : sums[place];
      sums[place] = Accumulator(before + weight * pixel);
      results.range(32 * place + 31, 32 * place) = ap_uint<32>(sums[place]);
    }
    if (last_entry) {
      tile_sums.write(results);
      index = 0;
      if (last_tile) {
        tile = 0;
        tile_start = 0;
        tile_columns = 0;
        tile_rows = 0;
        new_channel = true;
        --channels_left;
      } else {
        ++tile;
        tile_start += Tile;
        tile_columns += mask_columns;
        tile_rows += mask_rows;
      }
    } else if (works && !waits) {
      ++index;
    }
  }
}

}  // namespace zeroskip
