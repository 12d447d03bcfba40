// A process whose entry always returns, as only this compiler finds out: its other steps read registers that none sets.
// calls: 3
// in: 0x1ed334062e9, 0x1c8c758f51b, 0xc3c848af27, 0x1c2c918999c, 0x1a0a2328938, 0x192da53de5c, 0x80625e68b,
// 0xa82d8fd5c6, 0x12bc70153bb, 0xd32d34bad6, 0xccee8bd4e5, 0x1ad6743e91a, 0xc3c8d8318c, 0x16f6d21b611, 0xff6c803210
#include "ap_fixed.h"
namespace program1000353_ {
template <typename T>
static void step(T& a) {
  a = a * 3 + 1;
}
template <typename T>
static T larger(const T& a, const T& b) {
  return a < b ? b : a;
}
template <int N>
static ap_int<40> scaled(ap_int<24> x) {
  ap_int<40> sum = 0;
  for (int k = 0; k < N; ++k) {
#pragma HLS UNROLL
    sum += x << k;
  }
  return sum;
}
template <int W>
struct Accumulator {
  ap_int<W> total;
  ap_uint<8> seen;
  void clear() {
    total = 0;
    seen = 0;
  }
  template <typename T>
  void add(const T& x) {
    total += x;
    ++seen;
  }
  ap_int<W> mean() const { return seen == 0 ? total : ap_int<W>(total / ap_int<9>(seen)); }
};
static ap_int<5> h1(ap_uint<12> x2) {
  ap_fixed<21, 7, AP_RND, AP_WRAP, 8> v3 = ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(
      -(ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(ap_fixed<15, 4, AP_RND_ZERO, AP_WRAP, 0>(-1.689196)) >>
        ap_uint<4>(x2)));
  for (int i4 = 0; i4 < 3; ++i4) {
    {
      int i5 = 0;
      while (i5 < 2 && (ap_int<23>(ap_fixed<19, 3, AP_TRN_ZERO, AP_WRAP, 11>(v3)) > (x2 + x2))) {
        step(x2);
        x2 = (ap_uint<5>((ap_int<32>(i4) + ap_uint<64>(712601346))) >> 2);
        ++i5;
      }
    }
    if (((x2 <= -9) || (x2 != ap_uint<64>(148137789)))) return ap_uint<23>(x2);
  }
  return x2;
}
static ap_uint<8> h6(ap_int<8> x7) {
  const int n9 = ap_uint<3>(x7).to_int();
  for (int i8 = 0; i8 < n9; ++i8) {
    step(x7);
    ap_fixed<15, 4, AP_RND_ZERO, AP_WRAP, 0> v10 = ap_fixed<21, 7, AP_RND, AP_WRAP, 8>(
        ap_fixed<15, 4, AP_RND_ZERO, AP_WRAP, 0>(-7.947068) +
        ap_fixed<70, 23, AP_TRN_ZERO, AP_WRAP, 0>(ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(-0.105217)));
  }
  if (((h1(ap_uint<12>(x7)) != ap_uint<36>(x7)) && (x7 < 4))) {
    auto l11 = [&](ap_uint<23> x12) {
      x12.range(21, 6) = ap_uint<16>(((-x12) | (ap_uint<64>(x12) << 38)));
      x7 = (ap_uint<95>(ap_uint<32>(916495420)) - (-x7));
      return ap_int<1>(h1(ap_uint<12>(((x7 > x7) ? ap_int<1>(ap_int<5>(12)) : ap_int<1>(x12)))));
    };
    ap_int<1> v13 = l11((ap_int<5>(x7) << 9));
    ap_int<1> v14 = l11(x7);
    ap_uint<1> f16 = 0;
    ap_int<127> v17 = 0;
    for (int i15 = 0; i15 < 3; ++i15) {
      f16 = (ap_int<5>(20) != -13);
      v17 = ap_uint<1>(1);
      if (v17 == i15) continue;
      ap_int<95> v18 = (ap_uint<2>((v13, v14.range(0, 0))) +
                        ((ap_int<32>(i15) <= x7) ? ap_uint<1>(ap_uint<95>(348533199)) : ap_uint<1>(ap_int<16>(2803))));
      ap_fixed<70, 23, AP_TRN_ZERO, AP_WRAP, 0> v19 =
          (ap_ufixed<70, 63, AP_RND_INF, AP_WRAP, 0>(
               (ap_fixed<19, 18, AP_RND, AP_SAT_ZERO, 0>(ap_fixed<19, 3, AP_TRN_ZERO, AP_WRAP, 11>(1.244909)) << 16)) >>
           ap_uint<4>(v13));
    }
    f16 = v14;
  }
  for (int i20 = 0; i20 < 3; ++i20) {
    x7.range(7, 1) = ap_uint<7>(ap_uint<32>(773321312));
    if (((ap_ufixed<70, 63, AP_RND_INF, AP_WRAP, 0>(
              ap_ufixed<70, 13, AP_RND_MIN_INF, AP_WRAP, 69>(-3.117836) &
              ap_fixed<19, 3, AP_TRN_ZERO, AP_WRAP, 11>(((x7 < -20) ? ap_uint<16>(x7) : ap_uint<16>(x7)))) >=
          ap_ufixed<70, 13, AP_RND_MIN_INF, AP_WRAP, 69>(ap_ufixed<70, 13, AP_RND_MIN_INF, AP_WRAP, 69>(0.024516) +
                                                         ap_int<8>(105))) &&
         (x7 == x7)))
      return x7;
  }
  return h1(ap_uint<12>(ap_uint<5>(-21)));
}
void single21(hls::stream<ap_uint<41>>& in, hls::stream<long long>& out) {
  ap_uint<1> s22 = 0;
  static ap_uint<12> s23 = 62;
  ap_int<95> s24 = 29;
  static ap_int<23> a25[4][5];
  static ap_ufixed<70, 63, AP_RND_INF, AP_WRAP, 0> a26[5];
  ap_uint<41> word27;
  in.read(word27);
  if (((((ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(
              a26[ap_uint<12>(a25[2][ap_uint<12>((word27 | word27)) % 5]) % 5]) >= 0.134739)
             ? ap_fixed<21, 7, AP_RND, AP_WRAP, 8>(ap_ufixed<70, 63, AP_RND_INF, AP_WRAP, 0>(-0.486752))
             : ap_fixed<21, 7, AP_RND, AP_WRAP, 8>(ap_fixed<21, 7, AP_RND, AP_WRAP, 8>(0.024726))) >
        ap_ufixed<70, 13, AP_RND_MIN_INF, AP_WRAP, 69>(~ap_fixed<70, 23, AP_TRN_ZERO, AP_WRAP, 0>(-3.180181))) &&
       (s24 == a25[ap_uint<2>(ap_int<12>(word27))][ap_uint<12>((ap_int<64>(359765726) | s22)) % 5]))) {
    a26[ap_uint<12>(
            (((ap_uint<127>(922848629) != ap_int<32>(353399074)) || (ap_int<64>(671424088) > ap_int<127>(627883338)))
                 ? ap_uint<5>(s22)
                 : ap_uint<5>(ap_int<16>(64001)))) %
        5] =
        (ap_fixed<19, 18, AP_RND, AP_SAT_ZERO, 0>(ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(
             ap_fixed<15, 4, AP_RND_ZERO, AP_WRAP, 0>(-0.159550) & ap_fixed<19, 18, AP_RND, AP_SAT_ZERO, 0>(5.053197)))
         << 13);
    out.write((long long)((
        long long)(ap_uint<64>(ap_uint<32>(h6(ap_int<8>(a25[ap_uint<2>(ap_uint<1>(0))][ap_uint<12>((s22 ^ s24)) % 5]))))
                       .to_uint64())));
    return;
  }
  a26[1] = (ap_ufixed<70, 13, AP_RND_MIN_INF, AP_WRAP, 69>(
                ap_fixed<19, 18, AP_RND, AP_SAT_ZERO, 0>(ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(0.024400) *
                                                         ap_fixed<6, 2, AP_RND_MIN_INF, AP_SAT_ZERO, 0>(0.003755))) >>
            ap_uint<4>(s24));
  ap_fixed<15, 4, AP_RND_ZERO, AP_WRAP, 0> v28 = ap_fixed<21, 7, AP_RND, AP_WRAP, 8>(0.002596);
  if ((ap_fixed<19, 3, AP_TRN_ZERO, AP_WRAP, 11>(v28) != 45.261133)) {
    ap_int<36> v29 = s22;
  }
  out << ((long long)((long long)(ap_uint<64>((ap_uint<42>((s22, s24.range(48, 8))) + -119)).to_uint64())));
}
void transform30(hls::stream<long long>& in, hls::stream<ap_uint<64>>& out) {
  ap_int<5> s31 = 11;
  static ap_int<95> s32 = 62;
  ap_uint<36> a33[16];
  for (int k34 = 0; k34 < 16; ++k34) {
    a33[k34] = 3 + k34 * 7;
  }
  static ap_uint<127> a35[19];
  for (int t = 0; t < 5; ++t) {
    long long word36 = in.read();
    s32 = s31;
    a33[ap_uint<4>(((s32 > s32) ? ap_int<8>(s31) : ap_int<8>(ap_uint<1>(1))))] =
        ap_int<5>(ap_uint<48>(s32.range(12, 59)));
    out.write(ap_uint<64>(a33[ap_uint<4>(s32)]));
  }
}
}  // namespace program1000353_
void program1000353(hls::stream<ap_uint<41>>& in, hls::stream<ap_uint<64>>& out) {
  using namespace program1000353_;
#pragma HLS DATAFLOW
  hls::stream<long long, 3> between0;
#ifdef __SYNTHESIS__
  single21(in, between0);
#else
  for (int t = 0; t < 5; ++t) single21(in, between0);
#endif
  transform30(between0, out);
}
