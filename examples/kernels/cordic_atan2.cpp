// Angle and length of a vector by CORDIC: rotated towards the x axis in 16 steps of shifts and additions, one vector a
// clock.
//
// size: one word a call, the number of vectors (0 to 65535). x, y: so many coordinates in [-1, 1). angle: atan2(y, x)
// in radians. length: sqrt(x x + y y), free of CORDIC's gain. For vectors longer than 1/8 the angle is wrong by less
// than 2^-11, and the length by less than 2^-12.
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kSteps = 16;
typedef ap_fixed<16, 1> Coordinate;
typedef ap_fixed<16, 3, AP_RND> Angle;
typedef ap_ufixed<16, 2, AP_RND> Length;
typedef ap_fixed<22, 3> Inside;
typedef ap_uint<16> Count;

static const Inside kHalfTurn = 3.14159265358979;
static const Inside kInverseGain = 0.60725293500888;
static const Inside kAngles[kSteps] = {0.78539816339745, 0.46364760900081, 0.24497866312686, 0.12435499454676,
                                       0.06241880999596, 0.03123983343027, 0.01562372862048, 0.00781234106010,
                                       0.00390623013197, 0.00195312251648, 0.00097656218956, 0.00048828121119,
                                       0.00024414062015, 0.00012207031189, 0.00006103515617, 0.00003051757812};

static void rotate(hls::stream<Count>& size, hls::stream<Coordinate>& x_in, hls::stream<Coordinate>& y_in,
                   hls::stream<Angle>& angle_out, hls::stream<Length>& length_out) {
  const Count count = size.read();
each_vector:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    Inside x = x_in.read(), y = y_in.read(), angle = 0;
    // CORDIC turns by less than 100 degrees: the left half plane is turned by 180 first.
    if (x < 0) {
      angle = y < 0 ? Inside(-kHalfTurn) : kHalfTurn;
      x = -x;
      y = -y;
    }
  each_step:
    for (int step = 0; step < kSteps; ++step) {
#pragma HLS UNROLL
      const Inside dx = y >> step, dy = x >> step;
      const bool above = y >= 0;
      x = above ? Inside(x + dx) : Inside(x - dx);
      y = above ? Inside(y - dy) : Inside(y + dy);
      angle = above ? Inside(angle + kAngles[step]) : Inside(angle - kAngles[step]);
    }
    angle_out.write(angle);
    length_out.write(x * kInverseGain);
  }
}

void cordic_atan2(hls::stream<Count>& size, hls::stream<Coordinate>& x, hls::stream<Coordinate>& y,
                  hls::stream<Angle>& angle, hls::stream<Length>& length) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = x
#pragma HLS INTERFACE axis port = y
#pragma HLS INTERFACE axis port = angle
#pragma HLS INTERFACE axis port = length
#pragma HLS DATAFLOW
  rotate(size, x, y, angle, length);
}
