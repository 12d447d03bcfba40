// Correlates an image of 8-bit pixels with a 3x3 kernel, as a line buffer of two rows and a window do it.
//
// size: three words a call, rows, columns (1 to 1920) and the result's shift. weights: nine, row by row. in: rows x
// columns pixels. out: as many; the sum, shifted right, saturated to 0 to 255. Pixels outside the image are 0. One
// pixel a clock and a row and a column more; a row costs one clock beside its pixels.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kMostColumns = 1920;
typedef ap_uint<8> Pixel;
typedef ap_int<8> Weight;
typedef ap_uint<11> Size;

static Pixel weighted(const Pixel window[3][3], const Weight weights[3][3], ap_uint<4> shift) {
  ap_int<20> sum = 0;
  for (int i = 0; i < 3; ++i) {
#pragma HLS UNROLL
    for (int j = 0; j < 3; ++j) {
#pragma HLS UNROLL
      sum += window[i][j] * weights[i][j];
    }
  }
  const ap_int<20> shifted = sum >> shift;
  if (shifted < 0) return 0;
  if (shifted > 255) return 255;
  return Pixel(shifted);
}

static void convolve(hls::stream<Size>& size, hls::stream<Weight>& weights, hls::stream<Pixel>& in,
                     hls::stream<Pixel>& out) {
  Pixel upper[kMostColumns], lower[kMostColumns];  // the two rows above the newest pixel's
#pragma HLS BIND_STORAGE variable = upper type = ram_2p impl = bram
#pragma HLS BIND_STORAGE variable = lower type = ram_2p impl = bram
  Pixel window[3][3];
#pragma HLS ARRAY_PARTITION variable = window complete dim = 0
  Weight kernel[3][3];
#pragma HLS ARRAY_PARTITION variable = kernel complete dim = 0

  const Size rows = size.read(), columns = size.read();
  const ap_uint<4> shift = size.read();
load_kernel:
  for (int k = 0; k < 9; ++k) {
#pragma HLS PIPELINE II = 1
  shift_kernel:
    for (int place = 0; place < 8; ++place) {
#pragma HLS UNROLL
      kernel[place / 3][place % 3] = kernel[(place + 1) / 3][(place + 1) % 3];
    }
    kernel[2][2] = weights.read();
  }

  // The window's middle is a row and a column behind the newest pixel.
each_row:
  for (Size row = 0; row <= rows; ++row) {
  clear_window:
    for (int i = 0; i < 3; ++i) {
#pragma HLS UNROLL
      for (int j = 0; j < 3; ++j) {
#pragma HLS UNROLL
        window[i][j] = 0;
      }
    }
  each_column:
    for (Size column = 0; column <= columns; ++column) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = upper inter false
#pragma HLS DEPENDENCE variable = lower inter false
      Pixel fresh[3] = {0, 0, 0};
      if (column < columns) {
        if (row > 1) fresh[0] = upper[column];
        if (row > 0) fresh[1] = lower[column];
        if (row < rows) fresh[2] = in.read();
        upper[column] = fresh[1];
        lower[column] = fresh[2];
      }
    shift_window:
      for (int i = 0; i < 3; ++i) {
#pragma HLS UNROLL
        window[i][0] = window[i][1];
        window[i][1] = window[i][2];
        window[i][2] = fresh[i];
      }
      if (row > 0 && column > 0) out.write(weighted(window, kernel, shift));
    }
  }
}

void convolution_3x3(hls::stream<Size>& size, hls::stream<Weight>& weights, hls::stream<Pixel>& in,
                     hls::stream<Pixel>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = weights
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  convolve(size, weights, in, out);
}
