// 16 signed bytes times a constant 16 x 16 matrix, a vector a clock. MATRIX is given by the benchmark.
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_uint<16 * 8> Vector;
typedef ap_uint<16 * 20> Result;
static const signed char kMatrix[16][16] = MATRIX;

static void multiply(hls::stream<Vector>& in, hls::stream<Result>& out) {
#pragma HLS PIPELINE II = 1
  const Vector vector = in.read();
  Result result;
  for (int column = 0; column < 16; ++column) {
#pragma HLS UNROLL
    ap_int<20> sum = 0;
    for (int row = 0; row < 16; ++row) {
#pragma HLS UNROLL
      sum += ap_int<8>(vector.range(8 * row + 7, 8 * row)) * kMatrix[row][column];
    }
    result.range(20 * column + 19, 20 * column) = sum;
  }
  out.write(result);
}

void matrix_vector(hls::stream<Vector>& in, hls::stream<Result>& out) {
#pragma HLS DATAFLOW
  multiply(in, out);
}
