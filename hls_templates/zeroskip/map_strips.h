// The map engine in several lanes: what map_engine.h does, a strip of neighbouring columns a cycle.
#pragma once

#include "map_engine.h"
#include "requantise.h"
#include "types.h"

namespace zeroskip {

// Bits of a number, 1 at least.
constexpr int bits_of(int number) { return number < 2 ? 1 : 1 + bits_of(number / 2); }

// clamp(round_half_even(product / 2^shift), minimum, maximum) of a pixel times a table's entry, as the low 8 bits of
// the result; `shift` is 0..27, as no larger one leaves anything of 26 bits. `below_half` is a half of 2^shift, less
// one.
inline ap_uint<8> normalised(ap_int<28> product, ap_uint<5> shift, ap_uint<27> below_half, ap_int<9> minimum,
                             ap_int<9> maximum) {
#pragma HLS INLINE
  const bool odd = (product >> shift)[0] && shift != 0;
  const ap_int<28> result = ap_int<28>(product + below_half + ap_uint<1>(odd)) >> shift;
  ap_int<9> clamped = ap_int<9>(result);
  if (result < minimum) clamped = minimum;
  if (result > maximum) clamped = maximum;
  return ap_uint<8>(clamped);
}

// Runs one layer, as `map_engine` does: descriptor, table and map come and leave in the same words.
//
// The grid of a channel is walked row after row, a row in strips of `Strip` columns. A strip begins `strip_columns`
// behind the one before it and holds `strip_windows` whole windows, so that no window is of two strips; columns of
// neighbouring strips may be the same ones. Lane m is column `column` + m; lanes outside the map are padding.
//
// *Pixels.* The strip's first pixel is number `start` of the two feature words that came last. It moves on by
// `strip_columns` a strip and by `row_step` behind a row; a word is read when a strip needs a pixel behind both.
//
// *Windows.* First down, in every lane by itself: as in map_engine.h a row belongs to at most `Overlap` windows, each
// in a slot. Where a window ends, its rows' results are joined across: results of 1, 2, 4, .. columns from each lane
// on, of which the kernel's width takes some side by side. Every `stride_column`-th lane is a window's beginning.
//
// *Output.* The windows of a strip join those that wait for a whole feature word. A channel whose last windows fill a
// word and begin another takes a step more to send that.
//
// Cycles: kDescriptorWords + 16 * words + channels * ((last_row + 1) * (last_strip + 1) + that step).
//
// \tparam Lanes       pixels in a feature word.
// \tparam Strip       columns of a strip, a divisor of `Lanes`; no window is wider.
// \tparam Strips      strips of the widest grid.
// \tparam Overlap     windows that a row belongs to, 1..15.
// \tparam Positions   strips of the longest walk over a channel that is normalised.
// \tparam Channels    channels in the largest window of a normalisation, 1..63.
// \tparam TableWords  weight words of the longest table.
// \tparam Reach       columns of the widest window, 1..`Strip`.
// \tparam Stride      largest stride of a layer with several windows a strip.
// \tparam Averages    whether there are averages, not maxima alone.
template <int Lanes, int Strip, int Strips, int Overlap, int Positions, int Channels, int TableWords, int Reach,
          int Stride, bool Averages>
void map_strips(hls::stream<WeightWord>& weights, hls::stream<FeatureWord<Lanes>>& features,
                hls::stream<FeatureWord<Lanes>>& outputs) {
#pragma HLS INLINE off
  static_assert(Strip >= 2 && Lanes % Strip == 0, "a feature word has whole strips");
  static_assert(Overlap >= 1 && Overlap <= 15, "slots are counted in four bits");
  static_assert(Channels >= 1 && Channels <= 63, "channels of a window are counted in six bits");
  static_assert(Reach >= 1 && Reach <= Strip, "a window lies in one strip");
  constexpr int kKept = Channels > 1 ? Channels - 1 : 1;  // channels of a window besides the one that comes in
  constexpr int kBits = Averages ? 24 : 9;                // of a window's result
  constexpr int kDoublings = bits_of(Reach);
  constexpr int kPlaceBits = bits_of(Strip - 1);  // of a place in a strip
  using Result = ap_int<kBits>;

  Descriptor layer = 0;
  for (ap_uint<4> word = 0; word < kDescriptorWords; ++word) {
#pragma HLS PIPELINE II = 1
    layer = (Descriptor(weights.read()) << (kDescriptorBits - kWeightBits)) | (layer >> kWeightBits);
  }
  if (get<map_descriptor::is_map>(layer) == 0) layer = 0;
  const ap_uint<35> table_entries = ap_uint<35>(get<map_descriptor::words>(layer)) << 4;
  ap_uint<16> table[Strip][16 * TableWords];  // a copy for each lane
#pragma HLS ARRAY_PARTITION variable = table dim = 1 complete
  WeightWord entries = 0;
  for (ap_uint<35> entry = 0; entry < table_entries; ++entry) {
#pragma HLS PIPELINE II = 1
    if ((entry & 15) == 0) entries = weights.read();
    for (int lane = 0; lane < Strip; ++lane) {
#pragma HLS UNROLL
      table[lane][entry] = ap_uint<16>(entries);
    }
    entries >>= 16;
  }

  const ap_uint<16> channels = get<map_descriptor::channels>(layer);
  const ap_uint<16> pixel_channels = get<map_descriptor::pixel_channels>(layer);
  const bool input_signed = get<map_descriptor::input_signed>(layer) != 0;
  const ap_uint<11> first_column = get<map_descriptor::first_column>(layer);
  const ap_uint<11> end_column = get<map_descriptor::end_column>(layer);
  const ap_uint<11> first_row = get<map_descriptor::first_row>(layer);
  const ap_uint<11> end_row = get<map_descriptor::end_row>(layer);
  const ap_uint<11> last_row = get<map_descriptor::last_row>(layer);
  const ap_uint<8> strip_windows = get<map_descriptor::strip_windows>(layer);
  const ap_uint<8> strip_columns = get<map_descriptor::strip_columns>(layer);
  const ap_uint<10> last_strip = get<map_descriptor::last_strip>(layer);
  const ap_int<12> row_step = get_signed<map_descriptor::row_step>(layer);
  const ap_uint<10> row_windows = get<map_descriptor::row_windows>(layer);
  const ap_uint<10> kernel_column = get<map_descriptor::kernel_column>(layer);
  const ap_uint<10> kernel_row = get<map_descriptor::kernel_row>(layer);
  const ap_uint<10> stride_column = get<map_descriptor::stride_column>(layer);
  const ap_uint<10> stride_row = get<map_descriptor::stride_row>(layer);
  const ap_uint<4> end_slot = get<map_descriptor::end_slot_y>(layer);
  const ap_uint<10> end_phase = get<map_descriptor::end_phase_y>(layer);
  const ap_uint<21> channel_windows = get<map_descriptor::last_output>(layer) + 1;
  const bool average = Averages && get<map_descriptor::average>(layer) != 0;
  const bool normalise = get<map_descriptor::normalise>(layer) != 0;
  const ap_uint<6> size = get<map_descriptor::size>(layer);
  const ap_uint<6> before = get<map_descriptor::before>(layer);
  const ap_uint<5> index_shift = get<map_descriptor::index_shift>(layer);
  const ap_uint<16> last_index = get<map_descriptor::last_index>(layer);
  const ap_uint<16> multiplier = get<map_descriptor::multiplier>(layer);
  const ap_uint<6> shift = get<map_descriptor::shift>(layer);
  const ap_int<9> minimum = get_signed<map_descriptor::minimum>(layer);
  const ap_int<9> maximum = get_signed<map_descriptor::maximum>(layer);
  const ap_uint<5> table_shift = shift > 27 ? ap_uint<5>(27) : ap_uint<5>(shift);
  const ap_uint<27> below_half = shift == 0 ? ap_uint<27>(0) : ap_uint<27>((ap_uint<28>(1) << table_shift >> 1) - 1);
  const ap_uint<11> kernel = kernel_column + 1;
  const ap_int<12> first = -ap_int<12>(first_column);     // column of a row's first lane
  const ap_int<12> end = ap_int<12>(end_column) + first;  // columns of the map
  const ap_int<13> before_pixels = 2 * Lanes + first;     // `start` before any word of a channel has come

  // What a window holds before any value: nothing wins against a value, or adds to it.
  const Result empty = average ? Result(0) : Result(-256);
  ap_uint<8 * kKept>
      history[Strip][Positions > 1 ? Positions : 2];  // of each pixel of a channel those before it, the newest lowest
#pragma HLS BIND_STORAGE variable = history type = ram_2p impl = lutram
#pragma HLS ARRAY_PARTITION variable = history dim = 1 complete
  ap_uint<kBits * Overlap>
      rows[Strip][Strips > 1 ? Strips : 2];  // of each column, slot by slot: the rows so far of the slot's window
#pragma HLS BIND_STORAGE variable = rows type = ram_2p impl = lutram
#pragma HLS ARRAY_PARTITION variable = rows dim = 1 complete
  FeatureWord<Lanes> low = 0;
  FeatureWord<Lanes> high = 0;
  ap_int<13> start = before_pixels;
  ap_int<12> column = first;
  ap_uint<10> strip = 0;
  ap_uint<10> row_left = row_windows;  // windows of the row that are to come
  ap_uint<20> position = 0;            // strip of the channel
  ap_uint<11> y = 0;
  ap_uint<10> phase = 0;  // rows since the newest window began
  ap_uint<16> channel = 0;
  ap_uint<21> left = channel_windows;  // windows that are to come
  ap_uint<8> filled = 0;
  FeatureWord<Lanes> packed = 0;
  bool drain = false;
  while (channel != channels || drain) {
#pragma HLS PIPELINE II = 1
    const bool walks = !drain;
    const bool in_rows = y >= first_row && y < end_row;
    const ap_int<12> to_edge = end - column;
    const ap_uint<8> inside = to_edge < 0 ? ap_uint<8>(0) : to_edge > Strip ? ap_uint<8>(Strip) : ap_uint<8>(to_edge);
    const bool has_row = walks && in_rows && channel < pixel_channels;
    ap_int<13> place = start;
    if (has_row && inside != 0 && place + inside > 2 * Lanes) {
      low = high;
      high = features.read();
      place -= Lanes;
    }
    const ap_uint<16 * Lanes> both = (ap_uint<16 * Lanes>(high) << (8 * Lanes)) | low;
    const ap_uint<8 * Strip> bytes = ap_uint<8 * Strip>(both >> (ap_uint<11>(ap_uint<8>(place)) << 3));

    Result span[kDoublings][Strip];  // results of 1, 2, 4, .. columns
    for (int lane = 0; lane < Strip; ++lane) {
#pragma HLS UNROLL
      const bool in_map = in_rows && column >= -lane && inside > lane;
      const ap_uint<8> byte = in_map && channel < pixel_channels ? lane_of<8>(bytes, lane) : ap_uint<8>(0);
      // Normalisation: the sum of squares around the centre, which is `before` channels back, finds the factor.
      ap_uint<8 * Channels> pixels = byte;
      if (normalise && walks) {
        if (Channels > 1 && channel != 0) pixels |= ap_uint<8 * Channels>(history[lane][position]) << 8;
        history[lane][position] = pixels;
      }
      Pixel centre = 0;
      ap_uint<22> squares = 0;
      for (int each = 0; each < Channels; ++each) {
#pragma HLS UNROLL
        const ap_uint<8> neighbour = each < size ? lane_of<8>(pixels, each) : ap_uint<8>(0);
        const Pixel value = to_pixel(neighbour, input_signed);
        squares += ap_uint<17>(value * value);
        if (each == before) centre = value;
      }
      const ap_uint<22> bucket = squares >> index_shift;
      const ap_uint<16> factor = table[lane][bucket > last_index ? last_index : ap_uint<16>(bucket)];
      const ap_int<28> product = centre * ap_int<17>(factor);
      const ap_uint<8> scaled = normalised(product, table_shift, below_half, minimum, maximum);
      const Pixel pixel = normalise ? to_pixel(scaled, minimum < 0) : to_pixel(byte, input_signed);

      // Windows, down.
      const Result value = in_map ? Result(pixel) : empty;
      const ap_uint<kBits * Overlap> held = rows[lane][strip];
      ap_uint<kBits * Overlap> holds = 0;
      Result result = empty;
      for (int slot = 0; slot < Overlap; ++slot) {
#pragma HLS UNROLL
        const Result newer = slot == 0 ? empty : Result(lane_of<kBits>(held, slot == 0 ? 0 : slot - 1));
        Result window = phase == 0 ? newer : Result(lane_of<kBits>(held, slot));
        if (slot < end_slot || (slot == end_slot && phase <= end_phase)) {
          window = Result(widened(average, window, value));
        }
        holds |= ap_uint<kBits * Overlap>(ap_uint<kBits>(window)) << (kBits * slot);
        if (slot == end_slot) result = window;
      }
      if (walks) rows[lane][strip] = holds;
      span[0][lane] = result;
    }

    // Windows, across.
    for (int doubling = 1; doubling < kDoublings; ++doubling) {
#pragma HLS UNROLL
      for (int lane = 0; lane < Strip; ++lane) {
#pragma HLS UNROLL
        const int other = lane + (1 << (doubling - 1));
        span[doubling][lane] = span[doubling - 1][lane];
        if (other < Strip) {
          span[doubling][lane] =
              Result(widened(average, span[doubling - 1][lane], span[doubling - 1][other < Strip ? other : 0]));
        }
      }
    }
    Result joined[Strip];
    for (int lane = 0; lane < Strip; ++lane) {
#pragma HLS UNROLL
      joined[lane] = empty;
    }
    for (int doubling = kDoublings - 1; doubling >= 0; --doubling) {
#pragma HLS UNROLL
      for (int lane = 0; lane < Strip; ++lane) {  // upwards: what is read has not been joined with this span yet
#pragma HLS UNROLL
        const int other = lane + (1 << doubling);
        if (kernel[doubling]) {
          const Result behind = other < Strip ? joined[other < Strip ? other : 0] : empty;
          joined[lane] = Result(widened(average, span[doubling][lane], behind));
        }
      }
    }

    const bool emit = walks && phase == end_phase && y >= kernel_row && channel >= before;
    const ap_uint<8> most = row_left < strip_windows ? ap_uint<8>(row_left) : strip_windows;
    const ap_uint<8> count = emit ? most : ap_uint<8>(0);
    ap_uint<8 * Strip> sent = 0;
    for (int window = 0; window < Strip; ++window) {
#pragma HLS UNROLL
      Result result = joined[window];
      for (int apart = 2; apart <= Stride; ++apart) {
#pragma HLS UNROLL
        if (window * apart < Strip && stride_column == apart - 1) result = joined[window * apart % Strip];
      }
      ap_uint<8> pixel = ap_uint<8>(result);
      if (Averages && average) pixel = requantise(Accumulator(result), multiplier, shift, minimum, maximum);
      if (window < count) sent |= ap_uint<8 * Strip>(pixel) << (8 * window);
    }

    // Output.
    // Behind the pixels that wait, whose number is whole strips and some pixels more.
    ap_uint<16 * Strip> moved = sent;
    for (int bit = 0; bit < kPlaceBits; ++bit) {
#pragma HLS UNROLL
      if (filled[bit]) moved <<= 8 << bit;
    }
    const ap_uint<8> whole = filled >> kPlaceBits;
    ap_uint<8 * (Lanes + Strip)> waiting = packed;
    for (int part = 0; part <= Lanes / Strip; ++part) {
#pragma HLS UNROLL
      ap_uint<8 * Strip> placed = 0;
      if (part == whole) placed = ap_uint<8 * Strip>(moved);
      if (part == whole + 1) placed = ap_uint<8 * Strip>(moved >> (8 * Strip));
      waiting |= ap_uint<8 * (Lanes + Strip)>(placed) << (8 * Strip * part);
    }
    const ap_uint<9> total = filled + count;
    const bool last = count != 0 && left == count;  // of the channel
    const bool full = total >= Lanes;
    drain = last && total > Lanes;
    const bool clear = !walks || (last && !drain);
    if (full || clear) outputs.write(FeatureWord<Lanes>(waiting));
    packed = clear  ? FeatureWord<Lanes>(0)
             : full ? FeatureWord<Lanes>(waiting >> (8 * Lanes))
                    : FeatureWord<Lanes>(waiting);
    filled = clear ? ap_uint<8>(0) : full ? ap_uint<8>(total - Lanes) : ap_uint<8>(total);

    left -= count;
    start = place;
    if (walks) {
      ++position;
      if (strip != last_strip) {
        ++strip;
        column += strip_columns;
        row_left = row_left - most;
        if (has_row) start = place + strip_columns;
      } else {
        strip = 0;
        column = first;
        row_left = row_windows;
        if (has_row) start = place + row_step;
        if (y != last_row) {
          ++y;
          phase = phase == stride_row ? ap_uint<10>(0) : ap_uint<10>(phase + 1);
        } else {
          y = 0;
          phase = 0;
          position = 0;
          start = before_pixels;
          left = channel_windows;
          ++channel;
        }
      }
    }
  }
}

}  // namespace zeroskip
