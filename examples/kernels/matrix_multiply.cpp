// Multiplies a matrix of any number of rows by a 16x16 matrix: 16-bit elements, exact 36-bit results, 16 products a
// clock.
//
// size: one word a call, the number of rows of a (0 to 65535). b: 16 words, a row of 16 elements each. a: rows x 16
// elements, row by row. c: a word for each row of a, 16 results of 36 bits. In both, element j starts at bit j times
// its width. One element of a each clock, a clock more for each row.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kSize = 16;
typedef ap_int<16> Element;
typedef ap_int<36> Result;
typedef ap_uint<16 * kSize> Row;
typedef ap_uint<36 * kSize> ResultRow;
typedef ap_uint<16> Count;

static void multiply(hls::stream<Count>& size, hls::stream<Element>& a, hls::stream<Row>& b,
                     hls::stream<ResultRow>& c) {
  Element matrix[kSize][kSize];
#pragma HLS ARRAY_PARTITION variable = matrix complete dim = 2
  const Count rows = size.read();
load_b:
  for (int k = 0; k < kSize; ++k) {
#pragma HLS PIPELINE II = 1
    const Row row = b.read();
    for (int j = 0; j < kSize; ++j) {
#pragma HLS UNROLL
      matrix[k][j] = row.range(16 * j + 15, 16 * j);
    }
  }
  // A row of the result is the sum of b's rows, weighted by the elements of a's row.
each_row:
  for (Count i = 0; i < rows; ++i) {
    Result sums[kSize];
#pragma HLS ARRAY_PARTITION variable = sums complete
  each_element:
    for (int k = 0; k < kSize; ++k) {
#pragma HLS PIPELINE II = 1
      const Element weight = a.read();
      ResultRow row;
    each_column:
      for (int j = 0; j < kSize; ++j) {
#pragma HLS UNROLL
        const Result before = k == 0 ? Result(0) : sums[j];
        sums[j] = before + weight * matrix[k][j];
        row.range(36 * j + 35, 36 * j) = sums[j];
      }
      if (k == kSize - 1) c.write(row);
    }
  }
}

void matrix_multiply(hls::stream<Count>& size, hls::stream<Element>& a, hls::stream<Row>& b,
                     hls::stream<ResultRow>& c) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = a
#pragma HLS INTERFACE axis port = b
#pragma HLS INTERFACE axis port = c
#pragma HLS DATAFLOW
  multiply(size, a, b, c);
}
