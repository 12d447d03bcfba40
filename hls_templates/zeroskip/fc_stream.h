// The streamed fully-connected engine: weights stay in DDR, and only the columns of activations that are not zero come.
//
// A column is a whole number of *column words* of `Slots` entries. An entry is {value, gap}, lowest bits first: value a
// number of the layer's codebook (the weight itself where ValueBits is 8), gap the rows between it and the entry before
// it in the column, or the column's top. Weight 0 is no weight: with the largest gap it bridges a longer one, and it
// fills up a column's last word. Every slot of a word has an accumulator of its own with a sum for every row, so that a
// word is done in a cycle wherever its rows lie, and no slot waits for another. The slots' sums are added up by groups
// of kGroupSlots, and the groups' by the last process: one that waited for all slots at once would be too slow a chain.
//
// fc_scan and fc_lookup (fc_engine.h, one PE) stand before it; the pointers that fc_lookup holds count column words,
// not entries. Packet of a layer: header word, pointer words, a codebook word (number i's weight in byte i), bias
// words.
//
// A batch of images goes through a layer together: a column comes once for all of them, where one of their activations
// is not zero, and every slot multiplies its weight with each image's. Their words come and leave in turn: of each
// place the first image's, then the others'.
//
// For each pair of columns a request goes out on requests_out; its words must come on columns_in, in that order. A
// mover that reads DDR does this: it knows addresses and latency, the engine does not.
#pragma once

#include "fc_engine.h"

namespace zeroskip {

template <int Slots, int ValueBits, int GapBits>
using ColumnWord = ap_uint<Slots*(ValueBits + GapBits)>;
using RowCount = ap_uint<slot_word::row::bits>;
// Sums of neighbouring rows, that of the first lowest.
template <int Rows>
using SumWord = ap_uint<32 * Rows>;
// A row's sums, of the first image lowest.
template <int Images>
using Sums = ap_uint<32 * Images>;
// Slots that one process adds up.
constexpr int kGroupSlots = 8;

// Asks for the words of each command's columns, ahead of their use.
//
// One command per cycle; the last one, which ends the vector, asks for nothing.
template <int Images>
void fc_request(hls::stream<Descriptor>& layers, hls::stream<Descriptor>& next_layers,
                hls::stream<CommandWord<Images>>& commands, hls::stream<CommandWord<Images>>& asked_for,
                hls::stream<RequestWord>& requests) {
#pragma HLS INLINE off
  const Descriptor layer = layers.read();
  next_layers.write(layer);
  bool end = get<descriptor::rows>(layer) == 0;
  while (!end) {
#pragma HLS PIPELINE II = 1
    const CommandWord<Images> command = commands.read();
    end = get<command_word::end>(command) != 0;
    RequestWord request = 0;
    put<request_word::first>(request, get<command_word::first>(command));
    put<request_word::count>(request, get<command_word::count>(command));
    asked_for.write(command);
    if (!end) requests.write(request);
  }
}

// Turns column words into an entry {row, weight, activation} for every slot's accumulator: rows are sums of gaps over
// the word's slots, and the words before it in its column. Tells every group of slots how many rows the layer has, 0
// where another engine runs it.
//
// Cycles: one per word of the packet from the codebook on, one per column word, one for the end.
//
// \tparam Slots       entries of a column word.
// \tparam ValueBits   of an entry: 4 or 5, numbers of a codebook, or 8.
// \tparam GapBits     of an entry, 1..8.
// \tparam Images      of a batch.
// \tparam EntryDepth, RowDepth  depths of the streams, deduced.
template <int Slots, int ValueBits, int GapBits, int Images, int EntryDepth, int RowDepth>
void fc_unpack(hls::stream<Descriptor>& layers, hls::stream<WeightWord>& weights, hls::stream<WeightWord>& biases,
               hls::stream<CommandWord<Images>>& asked_for, hls::stream<ColumnWord<Slots, ValueBits, GapBits>>& columns,
               hls::stream<SlotWord<Images>, EntryDepth> (&entries)[Slots],
               hls::stream<RowCount, RowDepth> (&group_rows)[Slots / kGroupSlots]) {
#pragma HLS INLINE off
  static_assert(ValueBits == 4 || ValueBits == 5 || ValueBits == 8, "a codebook of 16 or 32 weights, or plain weights");
  static_assert(Slots % kGroupSlots == 0, "slots are added up in whole groups");
  constexpr int kBits = ValueBits + GapBits;
  using Row = RowCount;
  const Descriptor layer = layers.read();
  const Row rows = get<descriptor::rows>(layer);
  for (int group = 0; group < Slots / kGroupSlots; ++group) {
#pragma HLS UNROLL
    group_rows[group].write(rows);
  }
  const bool idle = rows == 0;
  if (!idle) weights.read();  // the header
  const ap_uint<14> words = idle ? ap_uint<14>(0) : ap_uint<14>((rows + kBiasesPerWord - 1) / kBiasesPerWord + 1);
  WeightWord codebook = 0;
  for (ap_uint<14> word = 0; word < words; ++word) {
#pragma HLS PIPELINE II = 1
    const WeightWord value = weights.read();
    if (word == 0) {
      codebook = value;
    } else {
      biases.write(value);
    }
  }

  CommandWord<Images> command = 0;
  ap_uint<kPointerBits> left = 0;
  Row rows_before = 0;  // the column's, up to the last entry of the word before
  bool end = false;
  while (!end) {
#pragma HLS PIPELINE II = 1
    bool new_column = left == get<command_word::odds>(command);
    if (idle) {
      end = true;
    } else if (left == 0) {
      command = asked_for.read();
      end = get<command_word::end>(command) != 0;
      left = get<command_word::count>(command);
      new_column = true;
    }
    ColumnWord<Slots, ValueBits, GapBits> word = 0;
    const bool odd = left <= get<command_word::odds>(command);
    const ap_uint<9> activation = odd ? get<command_word::odd>(command) : get<command_word::even>(command);
    if (!end) {
      word = columns.read();
      --left;
    }
    Row sums[Slots];
    for (int slot = 0; slot < Slots; ++slot) {
#pragma HLS UNROLL
      sums[slot] = Row(ap_uint<GapBits>(lane_of<kBits>(word, slot) >> ValueBits)) + 1;
    }
    // Invariant: sums[slot] is the sum of the slots from the start of its block of `block` slots up to it.
    for (int block = 1; block < Slots; block *= 2) {
#pragma HLS UNROLL
      for (int slot = 0; slot < Slots; ++slot) {
#pragma HLS UNROLL
        if ((slot / block) % 2 == 1) sums[slot] = Row(sums[slot] + sums[slot / block * block - 1]);
      }
    }
    const Row base = new_column ? Row(0) : rows_before;
    rows_before = Row(base + sums[Slots - 1]);
    for (int slot = 0; slot < Slots; ++slot) {
#pragma HLS UNROLL
      const ap_uint<ValueBits> number = ap_uint<ValueBits>(lane_of<kBits>(word, slot));
      const ap_uint<8> weight = ValueBits == 8 ? ap_uint<8>(number) : ap_uint<8>(codebook >> (ap_uint<8>(number) * 8));
      SlotWord<Images> entry = 0;
      put<slot_word::end>(entry, end);
      put<slot_word::row>(entry, end ? rows : Row(base + sums[slot] - 1));
      put<slot_word::weight>(entry, number == 0 ? ap_uint<8>(0) : weight);
      put<slot_word::activation>(entry, activation);
      if constexpr (Images > 1) {
        const ap_uint<18 * (Images - 1)> further = command.range(CommandWord<Images>::width - 1, command_word::kBits);
        for (int image = 0; image + 1 < Images; ++image) {
#pragma HLS UNROLL
          const int place = slot_word::kBits + 9 * image;
          entry.range(place + 8, place) = lane_of<9>(further, odd ? 2 * image + 1 : 2 * image);
        }
      }
      entries[slot].write(entry);
    }
  }
}

// What fc_accumulate does, the sums of rows Rows * i to Rows * i + Rows - 1 in word i of the banks `sums`, a row's sums
// of all images side by side. Words are handed over image after image.
//
// Cycles: one per word of sums that there is room for (set to zero) and two more, one per entry and two for the end,
// one per word of the layer's sums and image. Without a layer nothing is handed over, and the end takes one.
//
// One loop does it all, so that the promise below holds for all of it: an iteration reads no sum that one of the two
// before it wrote. Entries of one row (in two columns) that come so close pass the sum on in registers; behind the last
// word that is set to zero, and before the first word handed over, two iterations leave the memory alone.
//
// \tparam Words   of a bank.
// \tparam Rows    that are handed over a cycle, a power of two.
// \tparam Images  of a batch.
template <int Words, int Rows, int Images>
void fc_accumulate_in(Sums<Images> (&sums)[Rows][Words], hls::stream<SlotWord<Images>>& entries,
                      hls::stream<SumWord<Rows>>& slot_sums) {
#pragma HLS INLINE
  using Row = RowCount;
  Row word = 0;
  Row words = 0;
  ap_uint<4> image = 0;
  bool clearing = true;
  bool waiting = false;
  bool handing = false;
  bool done = false;
  Row last_rows[2] = {0, 0};
  Sums<Images> last_sums[2] = {0, 0};
  bool is_last[2] = {false, false};
#pragma HLS ARRAY_PARTITION variable = last_rows complete
#pragma HLS ARRAY_PARTITION variable = last_sums complete
#pragma HLS ARRAY_PARTITION variable = is_last complete
  while (!done) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE class = array inter distance = 3 true
    SlotWord<Images> entry = 0;
    if (!clearing && !waiting && !handing) entry = entries.read();
    const bool end = get<slot_word::end>(entry) != 0;
    const Row row = get<slot_word::row>(entry);
    const ap_int<8> weight = get_signed<slot_word::weight>(entry);
    const bool is_weight = weight != 0;
    const bool is_newest = is_last[0] && row == last_rows[0];
    const bool is_second = is_last[1] && row == last_rows[1];
    const Row address = clearing || handing ? word : Row(row / Rows);
    SumWord<Rows> handed = 0;
    Sums<Images> held[Rows];
    for (int lane = 0; lane < Rows; ++lane) {
#pragma HLS UNROLL
      held[lane] = 0;
      if (handing || (is_weight && !is_newest && !is_second && row % Rows == lane)) {
        held[lane] = sums[lane][address];
      }
      handed.range(32 * lane + 31, 32 * lane) = lane_of<32>(held[lane], image);
    }
    // One of them alone is not 0; a tree is shorter than a row of choices.
    for (int distance = 1; distance < Rows; distance *= 2) {
#pragma HLS UNROLL
      for (int lane = 0; lane + distance < Rows; lane += 2 * distance) {
#pragma HLS UNROLL
        held[lane] |= held[lane + distance];
      }
    }
    const Sums<Images> before = is_newest ? last_sums[0] : is_second ? last_sums[1] : held[0];
    Sums<Images> after = 0;
    for (int number = 0; number < Images; ++number) {
#pragma HLS UNROLL
      const int place = number == 0 ? slot_word::activation::low : slot_word::kBits + 9 * (number - 1);
      const Pixel activation = Pixel(ap_uint<9>(entry.range(place + 8, place)));
      const Accumulator sum = Accumulator(Accumulator(lane_of<32>(before, number)) + weight * activation);
      after.range(32 * number + 31, 32 * number) = ap_uint<32>(sum);
    }
    for (int lane = 0; lane < Rows; ++lane) {
#pragma HLS UNROLL
      if ((clearing && word < Words) || (is_weight && row % Rows == lane)) {
        sums[lane][address] = clearing ? Sums<Images>(0) : after;
      }
    }
    last_rows[1] = last_rows[0];
    last_sums[1] = last_sums[0];
    is_last[1] = is_last[0];
    last_rows[0] = row;
    last_sums[0] = after;
    is_last[0] = is_weight;
    if (handing) slot_sums.write(handed);
    const bool next_word = !handing || image + 1 == Images;
    image = next_word ? ap_uint<4>(0) : ap_uint<4>(image + 1);
    if (next_word) ++word;
    if (end) words = Row((row + Rows - 1) / Rows);
    done = (end && words == 0) || (handing && next_word && word == words);
    if (clearing && word == Words + 2) clearing = false;
    handing = handing || waiting;
    if (waiting) word = 0;
    waiting = end;
  }
}

// Multiplies and accumulates the entries of one slot, then hands over its sums, `Rows` rows a word; in block RAM.
//
// \tparam MaxRows  rows of the largest layer, a multiple of Rows.
// \tparam Rows     that are handed over a cycle, a power of two.
// \tparam Images   of a batch.
template <int MaxRows, int Rows, int Images>
void fc_accumulate(hls::stream<SlotWord<Images>>& entries, hls::stream<SumWord<Rows>>& slot_sums) {
#pragma HLS INLINE off
  static_assert(MaxRows % Rows == 0, "sums are handed over in whole words");
  Sums<Images> block_sums[Rows][MaxRows / Rows];
#pragma HLS ARRAY_PARTITION variable = block_sums dim = 1 complete
#pragma HLS BIND_STORAGE variable = block_sums type = ram_2p impl = bram
  fc_accumulate_in<MaxRows / Rows, Rows, Images>(block_sums, entries, slot_sums);
}

// The same in UltraRAM.
template <int MaxRows, int Rows, int Images>
void fc_accumulate_ultra(hls::stream<SlotWord<Images>>& entries, hls::stream<SumWord<Rows>>& slot_sums) {
#pragma HLS INLINE off
  static_assert(MaxRows % Rows == 0, "sums are handed over in whole words");
  Sums<Images> ultra_sums[Rows][MaxRows / Rows];
#pragma HLS ARRAY_PARTITION variable = ultra_sums dim = 1 complete
#pragma HLS BIND_STORAGE variable = ultra_sums type = ram_2p impl = uram
  fc_accumulate_in<MaxRows / Rows, Rows, Images>(ultra_sums, entries, slot_sums);
}

// A word of each stream, added up lane by lane.
//
// \tparam Rows      of a word.
// \tparam Count     of the streams.
// \tparam SumDepth  depth of the streams, deduced.
template <int Rows, int Count, int SumDepth>
SumWord<Rows> added_up(hls::stream<SumWord<Rows>, SumDepth> (&streams)[Count]) {
#pragma HLS INLINE
  SumWord<Rows> words[Count];
  for (int number = 0; number < Count; ++number) {
#pragma HLS UNROLL
    words[number] = streams[number].read();
  }
  SumWord<Rows> added = 0;
  for (int lane = 0; lane < Rows; ++lane) {
#pragma HLS UNROLL
    Accumulator sums[Count];
    for (int number = 0; number < Count; ++number) {
#pragma HLS UNROLL
      sums[number] = Accumulator(lane_of<32>(words[number], lane));
    }
    // Invariant: sums[i] holds the streams i to i + distance - 1 where i is a multiple of it.
    for (int distance = 1; distance < Count; distance *= 2) {
#pragma HLS UNROLL
      for (int number = 0; number + distance < Count; number += 2 * distance) {
#pragma HLS UNROLL
        sums[number] = Accumulator(sums[number] + sums[number + distance]);
      }
    }
    added.range(32 * lane + 31, 32 * lane) = ap_uint<32>(sums[0]);
  }
  return added;
}

// Adds up the sums of a group of slots, `Rows` rows a word. One word per cycle.
//
// \tparam Images    of a batch.
// \tparam SumDepth  depth of the streams, deduced.
template <int Rows, int Images, int SumDepth>
void fc_add_group(hls::stream<RowCount>& rows, hls::stream<SumWord<Rows>, SumDepth> (&slot_sums)[kGroupSlots],
                  hls::stream<SumWord<Rows>>& group_sums) {
#pragma HLS INLINE off
  const RowCount words = RowCount((rows.read() + Rows - 1) / Rows);
  RowCount word = 0;
  ap_uint<4> image = 0;
  while (word != words) {
#pragma HLS PIPELINE II = 1
    group_sums.write(added_up<Rows>(slot_sums));
    if (image + 1 == Images) {
      image = 0;
      ++word;
    } else {
      ++image;
    }
  }
}

// Adds up the groups' sums and the biases, requantises `Rows` rows a cycle, and packs them into feature words, of each
// place the images' in turn.
//
// Cycles: one per bias word, one per word of sums and image; with fewer rows than biases a word as many as fill whole
// feature words.
//
// \tparam Lanes     pixels in a feature word, a multiple of Rows.
// \tparam Groups    of slots.
// \tparam MaxRows   rows of the largest layer, a multiple of kBiasesPerWord.
// \tparam Rows      of a word of sums, a divisor of kBiasesPerWord.
// \tparam Images    of a batch.
// \tparam SumDepth  depth of the streams, deduced.
template <int Lanes, int Groups, int MaxRows, int Rows, int Images, int SumDepth>
void fc_add_groups(hls::stream<Descriptor>& layers, hls::stream<WeightWord>& bias_words,
                   hls::stream<SumWord<Rows>, SumDepth> (&group_sums)[Groups],
                   hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  static_assert(Lanes % Rows == 0 && kBiasesPerWord % Rows == 0, "a feature word is filled by whole groups of rows");
  constexpr int kParts = kBiasesPerWord / Rows;  // words of sums to a word of biases
  const Descriptor layer = layers.read();
  const RowCount rows = get<descriptor::rows>(layer);
  const RowCount bias_count = RowCount((rows + kBiasesPerWord - 1) / kBiasesPerWord);
  const RowCount words = RowCount((rows + Rows - 1) / Rows);
  const ap_uint<16> multiplier = get<descriptor::multiplier>(layer);
  const ap_uint<6> shift = get<descriptor::shift>(layer);
  const ap_int<9> minimum = get_signed<descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<descriptor::maximum>(layer);
  WeightWord biases[MaxRows / kBiasesPerWord];
  for (RowCount word = 0; word < bias_count; ++word) {
#pragma HLS PIPELINE II = 1
    biases[word] = bias_words.read();
  }
  // Where pixels are few, shifting them in from above takes fewer LUTs than putting each in its place. The last feature
  // word is then shifted on until its first pixel is lowest.
  constexpr bool kShifted = Rows < kBiasesPerWord;
  constexpr int kFull = Lanes / Rows;
  using Step = ap_uint<slot_word::row::bits + (kShifted ? 1 : 0)>;
  const Step steps = kShifted ? Step((words + kFull - 1) / kFull * kFull) : Step(words);
  FeatureWord<Lanes> packed[Images];  // the first one is the next word's of sums
#pragma HLS ARRAY_PARTITION variable = packed complete
  for (int number = 0; number < Images; ++number) {
#pragma HLS UNROLL
    packed[number] = 0;
  }
  ap_uint<8> filled = 0;
  Step word = 0;
  ap_uint<4> image = 0;
  while (word != steps) {
#pragma HLS PIPELINE II = 1
    ap_uint<8 * Rows> group = 0;
    if (!kShifted || word < words) {
      const SumWord<Rows> sums = added_up<Rows>(group_sums);
      const SumWord<Rows> bias = SumWord<Rows>(biases[word / kParts] >> (ap_uint<8>(word % kParts) * (32 * Rows)));
      for (int lane = 0; lane < Rows; ++lane) {
#pragma HLS UNROLL
        const Accumulator sum =
            Accumulator(Accumulator(lane_of<32>(sums, lane)) + Accumulator(lane_of<32>(bias, lane)));
        group.range(8 * lane + 7, 8 * lane) = requantise(sum, multiplier, shift, minimum, maximum);
      }
    }
    const FeatureWord<Lanes> newest =
        kShifted ? FeatureWord<Lanes>(packed[0] >> (8 * Rows)) | (FeatureWord<Lanes>(group) << (8 * (Lanes - Rows)))
                 : packed[0] | (FeatureWord<Lanes>(group) << (filled * 8));
    const bool leaves = filled + Rows == Lanes || word + 1 == steps;
    if (leaves) outputs.write(newest);
    for (int number = 0; number + 1 < Images; ++number) {
#pragma HLS UNROLL
      packed[number] = packed[number + 1];
    }
    packed[Images - 1] = leaves ? FeatureWord<Lanes>(0) : newest;
    if (image + 1 == Images) {
      image = 0;
      ++word;
      filled = leaves ? ap_uint<8>(0) : ap_uint<8>(filled + Rows);
    } else {
      ++image;
    }
  }
}

}  // namespace zeroskip
