// Processing element of the sparse convolver: a weight a cycle for each of `Outputs` output channels, multiplied with
// the same `Tile` neighbouring pixels.
//
// The input map lies in the PE row after row, channel after channel, in feature words. Multiplier m of tile t works on
// output position t * Tile + m of the grid with the *input's* pitch; for a weight at (row, column) of a kernel every
// multiplier's input pixel is then the same distance away: one unaligned read of `Tile` pixels. Multipliers whose input
// pixel would lie beyond an edge of the map see a zero, so that padding costs neither memory nor cycles.
#pragma once

#include "types.h"

namespace zeroskip {

// Copies the input map of one layer to every PE, then deals out the map that is added to the layer's output, if there
// is one: its channels come in the order of the layer's output channels, and channel c goes to the post-processing
// number c mod Posts.
//
// One feature word per cycle.
//
// \tparam Posts                  output channels that all PEs compute side by side.
// \tparam MapDepth, AddendDepth  depths of the streams, deduced.
template <int Lanes, int Pes, int Posts, int MapDepth, int AddendDepth>
void broadcast(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>>& features,
               hls::stream<FeatureWord<Lanes>, MapDepth> (&maps)[Pes],
               hls::stream<FeatureWord<Lanes>, AddendDepth> (&addends)[Posts]) {
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
    }
    for (int post = 0; post < Posts; ++post) {
#pragma HLS UNROLL
      if (!in_map && target == post) addends[post].write(value);
    }
    if (!in_map) {
      if (channel_word + 1 == channel_words) {
        channel_word = 0;
        target = target + 1 == Posts ? ap_uint<8>(0) : ap_uint<8>(target + 1);
      } else {
        ++channel_word;
      }
    }
  }
}

// Copies the input map of one layer to every PE, where no map is ever added. One feature word per cycle.
//
// \tparam MapDepth  depth of the streams, deduced.
template <int Lanes, int Pes, int MapDepth>
void broadcast(hls::stream<Descriptor>& layers, hls::stream<FeatureWord<Lanes>>& features,
               hls::stream<FeatureWord<Lanes>, MapDepth> (&maps)[Pes]) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  const ap_uint<32> words = get<descriptor::map_words>(layer);
  for (ap_uint<32> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const FeatureWord<Lanes> value = features.read();
    for (int pe = 0; pe < Pes; ++pe) {
#pragma HLS UNROLL
      maps[pe].write(value);
    }
  }
}

// Bits that tell so many numbers from each other, 1 at least.
constexpr int bits_below(int count, int bits = 1) { return count <= 1 << bits ? bits : bits_below(count, bits + 1); }

// Bits of a mask on the weight stream: a power of two, 8 at least.
constexpr int mask_bits(int tile, int bits = 8) { return tile <= bits ? bits : mask_bits(tile, 2 * bits); }

// `ring` turned down by `Step` pixels: pixel p of the result is pixel p + `Step`, and around the end.
template <int Step, int Pixels>
FeatureWord<Pixels> turned_by(const FeatureWord<Pixels>& ring) {
#pragma HLS INLINE
  return FeatureWord<Pixels>((ring >> (8 * Step)) | (ring << (8 * (Pixels - Step))));
}

// `ring` turned down by first mod `Span`, less what is left mod `Rest`.
//
// \tparam Pixels      of the ring; a power of two.
// \tparam Span, Rest  powers of two.
template <int Pixels, int Span, int Rest>
FeatureWord<Pixels> turned(const FeatureWord<Pixels>& ring, ap_uint<8> first) {
#pragma HLS INLINE
  if constexpr (Span <= Rest) {
    return ring;
  } else {
    constexpr int kStep = Span / 2;
    const FeatureWord<Pixels> half = (first & kStep) != 0 ? turned_by<kStep, Pixels>(ring) : ring;
    return turned<Pixels, kStep, Rest>(half, first);
  }
}

// What follows in a PE when an entry's pixels have been read.
template <int Outputs>
struct PeWork {
  ap_uint<8 * Outputs> weights;
  bool begins;           // a tile, with this entry
  bool ends;             // a tile, with this entry
  bool hands_over;       // a sum of the tile before
  ap_uint<8> hand_over;  // its place
};

// Multiplies each channel's weight with all pixels, and adds the products to its sums, which begin anew with a tile's
// first entry.
//
// A sum goes nowhere but into the next one and, a step later, into `hand_over_sums`: so a multiplier, its sum and the
// registers of its pixel are one DSP slice.
//
// \tparam Tile, SumBits, Outputs  as of the PE.
template <int Tile, int SumBits, int Outputs>
void accumulate(const PeWork<Outputs>& work, const ap_uint<9 * Tile>& pixels, ap_uint<SumBits> (&sums)[Outputs][Tile]) {
#pragma HLS INLINE
  for (int output = 0; output < Outputs; ++output) {
#pragma HLS UNROLL
    const ap_int<8> weight = ap_int<8>(lane_of<8>(work.weights, output));
    for (int place = 0; place < Tile; ++place) {
#pragma HLS UNROLL
      const ap_int<17> product = ap_int<17>(Pixel(lane_of<9>(pixels, place)) * weight);
      const ap_uint<SumBits> before = work.begins ? ap_uint<SumBits>(0) : sums[output][place];
      sums[output][place] = ap_uint<SumBits>(product + before);
    }
  }
}

// Places that `hand_over_sums` chooses from by the number of their group of four.
constexpr int groups_of(int tile) { return (tile + 3) / 4; }

// Number `place` of the `Groups` groups of four from `First` on, or 0 where it is none of them: one of each four by the
// place's low bits, which is one LUT a bit, and of these the one whose bit in `group` is set.
//
// \tparam Count, Bits  of the numbers.
template <int First, int Groups, int Count, int Bits>
ap_uint<Bits> number_at(const ap_uint<Bits> (&numbers)[Count], ap_uint<groups_of(Count)> group, ap_uint<8> place) {
#pragma HLS INLINE
  if constexpr (Groups > 1) {
    constexpr int kHalf = Groups / 2;
    return number_at<First, kHalf, Count, Bits>(numbers, group, place) |
           number_at<First + kHalf, Groups - kHalf, Count, Bits>(numbers, group, place);
  } else {
    ap_uint<Bits> four[4];
#pragma HLS ARRAY_PARTITION variable = four complete
    for (int number = 0; number < 4; ++number) {
#pragma HLS UNROLL
      constexpr int kBegin = 4 * First;
      four[number] = kBegin + number < Count ? lane_of<Bits>(numbers[kBegin + number], 0) : ap_uint<Bits>(0);
    }
    const ap_uint<Bits> low = place[0] ? ap_uint<Bits>(four[1]) : ap_uint<Bits>(four[0]);
    const ap_uint<Bits> high = place[0] ? ap_uint<Bits>(four[3]) : ap_uint<Bits>(four[2]);
    const ap_uint<Bits> one = place[1] ? high : low;
    return group[First] ? one : ap_uint<Bits>(0);
  }
}

// Hands over a sum of the tile before, one of each channel's; a tile that has ended takes its place, with the sums of
// all channels at a position side by side.
//
// `group` has bit `work.hand_over` / 4 set.
//
// \tparam Tile, SumBits, Outputs, Depth  as of the PE.
template <int Tile, int SumBits, int Outputs, int Depth>
void hand_over_sums(const PeWork<Outputs>& work, ap_uint<groups_of(Tile)> group,
                    const ap_uint<SumBits> (&sums)[Outputs][Tile], ap_uint<SumBits * Outputs> (&finished)[Tile],
                    hls::stream<ap_uint<SumBits>, Depth> (&tile_sums)[Outputs]) {
#pragma HLS INLINE
  const ap_uint<SumBits * Outputs> leaving =
      number_at<0, groups_of(Tile), Tile, SumBits * Outputs>(finished, group, work.hand_over);
  for (int output = 0; output < Outputs; ++output) {
#pragma HLS UNROLL
    if (work.hands_over) tile_sums[output].write(lane_of<SumBits>(leaving, output));
  }
  for (int place = 0; place < Tile; ++place) {
#pragma HLS UNROLL
    ap_uint<SumBits * Outputs> all = 0;
    for (int output = 0; output < Outputs; ++output) {
#pragma HLS UNROLL
      all.range(SumBits * output + SumBits - 1, SumBits * output) = sums[output][place];
    }
    if (work.ends) finished[place] = all;
  }
}

// Computes `descriptor::channels` blocks of `Outputs` output channels of a layer.
//
// The channels of a block share entries, map and masks: one read of `Tile` pixels meets a weight of each, which is zero
// where a channel has none at that place. What is said of a channel below is true of a block.
//
// Order: channel, tile, entry. A channel's entries come from the stream while its first tile is computed, and from
// `list` for the tiles after it; so loading weights costs no cycle. One entry per cycle.
//
// Behind a tile's last entry its sums move into registers, from which they leave one by one in the cycles after that,
// in the order of their positions, those of a block's channels side by side. So the last entry of a tile waits until
// the tile before has left but for one.
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
// The bias is added behind the PE.
//
// \tparam Lanes       pixels in a feature word; a power of two.
// \tparam Tile        positions computed at once: 1..Lanes.
// \tparam MapWords    feature words of the largest input map; whole rows of the banks.
// \tparam MaxEntries  entries of the longest output channel.
// \tparam MaskWords   most words of a layer's masks of columns, or of rows.
// \tparam SumBits     bits of a sum; what lies above them is dropped, here and with the bias, so that only the final
//                     sum has to fit.
// \tparam Outputs     output channels of a block: 1, 2 or 4.
// \tparam LayerDepth, SumDepth  depths of the streams, deduced.
template <int Lanes, int Tile, int MapWords, int MaxEntries, int MaskWords, int SumBits, int Outputs, int LayerDepth,
          int SumDepth>
void convolver_pe(hls::stream<Descriptor>& layers, hls::stream<Descriptor, LayerDepth> (&next_layers)[Outputs],
                  hls::stream<FeatureWord<Lanes>>& maps, hls::stream<WeightWord>& masks,
                  hls::stream<ChannelWord>& channels, hls::stream<EntryWord<Outputs>>& entries,
                  hls::stream<ap_uint<SumBits>, SumDepth> (&tile_sums)[Outputs]) {
#pragma HLS INLINE off
  static_assert((Lanes & (Lanes - 1)) == 0, "a feature word's pixels are counted in whole bits");
  static_assert(Tile >= 1 && Tile <= Lanes, "a tile is read in one cycle");
  constexpr int kRowWords = Tile == Lanes ? 2 : 1;
  constexpr int kRow = kRowWords * Lanes;
  constexpr int kRows = MapWords / kRowWords;
  static_assert(MapWords % kRowWords == 0, "banks hold whole rows");
  using Row = ap_uint<bits_below(kRows)>;
  constexpr int kBank = floor_power_of_two(kRow - Tile + 1);
  constexpr int kBanks = kRow / kBank;
  // Rings of pixels are turned in three parts of the loop.
  constexpr int kTurn = kRow < 4 ? 1 : kRow / 4;
  constexpr int kTurnLast = kRow < 16 ? 1 : kRow / 16;
  const Descriptor layer = layers.read();
  for (int output = 0; output < Outputs; ++output) {
#pragma HLS UNROLL
    next_layers[output].write(layer);
  }
  const ap_uint<32> map_words = get<descriptor::map_words>(layer);
  const ap_uint<12> tiles = get<descriptor::tiles>(layer);
  const ap_uint<8> last_tile_sums = get<descriptor::last_tile>(layer);
  const ap_uint<5> mask_columns = get<descriptor::mask_columns>(layer);
  const ap_uint<5> mask_rows = get<descriptor::mask_rows>(layer);
  const ap_uint<descriptor::mask_words::bits> column_mask_words = get<descriptor::column_mask_words>(layer);
  const ap_uint<descriptor::mask_words::bits> mask_words = get<descriptor::mask_words>(layer);
  const bool input_signed = get<descriptor::input_signed>(layer) != 0;

  FeatureWord<kBank> banks[kBanks][kRows];
#pragma HLS ARRAY_PARTITION variable = banks dim = 1 complete
  constexpr int kMaskBits = mask_bits(Tile);
  constexpr int kMasksPerWord = kWeightBits / kMaskBits;
  // LUT RAM holds 32 words or 64 in any case; where all are there, no index is outside.
  constexpr int kMaskWords = MaskWords <= 32 ? 32 : MaskWords <= 64 ? 64 : MaskWords;
  using MaskWord = ap_uint<bits_below(kMaskWords)>;
  using Mask = ap_uint<bits_below(kMaskWords * kMasksPerWord)>;
  WeightWord column_masks[kMaskWords];  // of tile 0, column after column, then of tile 1, ..
  WeightWord row_masks[kMaskWords];
  ap_uint<SumBits> sums[Outputs][Tile];
  ap_uint<SumBits * Outputs> finished[Tile];  // of the tile before
  EntryWord<Outputs> list[MaxEntries];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
#pragma HLS ARRAY_PARTITION variable = finished complete
  ap_uint<descriptor::channels::bits> channels_left = get<descriptor::channels>(layer);
  ChannelWord channel = 0;
  ap_uint<12> tile = 0;
  ap_uint<entry_word::address::bits> tile_start = 0;  // the tile's first position
  Mask tile_columns = 0;                              // the tile's first mask of columns
  Mask tile_rows = 0;
  ap_uint<channel_word::entries::bits> index = 0;
  bool new_channel = true;
  ap_uint<32> loaded = 0;
  ap_uint<descriptor::mask_words::bits> mask_words_left = mask_words;
  ap_uint<8> leaving = 0;       // sums of the tile before that are still here
  ap_uint<8> leaving_next = 0;  // the place of the first of them
  // Of the steps before this one, which are worked on in parts: the pixels that a step begins to turn are multiplied
  // three steps later. Registers stand between the parts, so that synthesis takes each turn for itself.
  FeatureWord<kRow> read_pixels = 0;
  FeatureWord<kRow> turned_pixels = 0;
  ap_uint<9 * Tile> pixels = 0;
  ap_uint<8> read_first = 0;
  ap_uint<8> turned_first = 0;
  Mask column_mask = 0;
  Mask row_mask = 0;
  ap_uint<kMaskBits> inside = 0;
  PeWork<Outputs> read_work = {0, false, false, false, 0};
  PeWork<Outputs> turned_work = read_work;
  PeWork<Outputs> work = read_work;
  PeWork<Outputs> summed_work = read_work;
  ap_uint<groups_of(Tile)> summed_group = 0;
  while (mask_words_left != 0 || channels_left != 0 || loaded != map_words || leaving != 0 || read_work.hands_over ||
         turned_work.hands_over || work.hands_over || summed_work.hands_over) {
#pragma HLS PIPELINE II = 1
// Waiting entries keep a read `kChase` words behind the loading at least: longer than a write takes.
#pragma HLS DEPENDENCE variable = banks inter false
    hand_over_sums<Tile, SumBits, Outputs>(summed_work, summed_group, sums, finished, tile_sums);
    accumulate<Tile, SumBits, Outputs>(work, pixels, sums);
    summed_work = work;
    summed_group = ap_uint<groups_of(Tile)>(1) << (work.hand_over / 4);

    const FeatureWord<kRow> tile_pixels = turned<kRow, kTurnLast, 1>(turned_pixels, turned_first);
    for (int place = 0; place < Tile; ++place) {
#pragma HLS UNROLL
      const Pixel pixel = inside[place] ? to_pixel(lane_of<8>(tile_pixels, place), input_signed) : Pixel(0);
      pixels.range(9 * place + 8, 9 * place) = pixel;
    }
    work = turned_work;

    turned_pixels = turned<kRow, kTurn, kTurnLast>(read_pixels, read_first);
    turned_first = read_first;
    inside = lane_of<kMaskBits>(column_masks[MaskWord(column_mask / kMasksPerWord)], column_mask % kMasksPerWord) &
             lane_of<kMaskBits>(row_masks[MaskWord(row_mask / kMasksPerWord)], row_mask % kMasksPerWord);
    turned_work = read_work;

    const bool has_masks = mask_words_left == 0;
    if (!has_masks) {
      const WeightWord mask = masks.read();
      if (mask_words - mask_words_left < column_mask_words) {
        column_masks[MaskWord(mask_words - mask_words_left)] = mask;
      } else {
        row_masks[MaskWord(mask_words - mask_words_left - column_mask_words)] = mask;
      }
      --mask_words_left;
    }
    const bool in_channel = has_masks && channels_left != 0;
    if (in_channel && new_channel) channel = channels.read();
    if (in_channel) new_channel = false;
    const bool ends = index + 1 == get<channel_word::entries>(channel);
    const bool works = in_channel && !(ends && leaving > 1);
    EntryWord<Outputs> entry = 0;
    bool waits = false;
    if (works) {
      if (tile == 0) {
        entry = entries.read();
        waits = get<entry_word::waits>(entry) != 0;
        list[index] = entry;
      } else {
        entry = list[index];
      }
    }

    // The unaligned read; what comes around the end of the banks is of the next row. A row that is not there is all
    // outside the map, but behind the one in front of the first lies the first.
    const ap_uint<entry_word::address::bits> first = get<entry_word::address>(entry) + tile_start;
    const ap_uint<8> first_bank = ap_uint<8>(first / kBank % kBanks);
    const Row row_address = Row(first / kRow);
    const Row next_address = Row(row_address + 1);
    FeatureWord<kRow> read = 0;
    for (int bank = 0; bank < kBanks; ++bank) {
#pragma HLS UNROLL
      const Row address = bank < first_bank ? next_address : row_address;
      const FeatureWord<kBank> part = address < kRows ? banks[bank][address] : FeatureWord<kBank>(0);
      read.range(8 * kBank * bank + 8 * kBank - 1, 8 * kBank * bank) = part;
    }
    read_first = ap_uint<8>(first % kRow);
    read_pixels = turned<kRow, kRow, kTurn>(read, read_first);
    column_mask = Mask(tile_columns + get<entry_word::column>(entry));
    row_mask = Mask(tile_rows + get<entry_word::row>(entry));
    if (has_masks && loaded != map_words) {
      const FeatureWord<Lanes> value = maps.read();
      for (int bank = 0; bank < kBanks; ++bank) {
#pragma HLS UNROLL
        if (bank * kBank / Lanes == int(loaded % kRowWords)) {
          banks[bank][Row(loaded / kRowWords)] = lane_of<8 * kBank>(value, bank % (Lanes / kBank));
        }
      }
      ++loaded;
    }

    const bool last_entry = works && !waits && ends;
    read_work.weights = get<entry_word::value>(entry);
    if constexpr (Outputs > 1) {
      read_work.weights.range(8 * Outputs - 1, 8) = entry.range(EntryWord<Outputs>::width - 1, entry_word::kBits);
    }
    read_work.begins = index == 0;
    read_work.ends = last_entry;
    read_work.hands_over = leaving != 0;
    read_work.hand_over = leaving_next;
    if (leaving != 0) {
      ++leaving_next;
      --leaving;
    }
    if (last_entry) {
      index = 0;
      leaving = tile + 1 == tiles ? last_tile_sums : ap_uint<8>(Tile);
      leaving_next = 0;
      if (tile + 1 == tiles) {
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
