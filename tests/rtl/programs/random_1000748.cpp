// NewGVN of LLVM ended the compiler's process by an assertion (ProcessedCount).
// calls: 3
// in: 0xe3a9bdcfe07868ce, 0x2efaf2013b37da1f, 0xd39d300abdb1aa61, 0x33b9508c4062b9b2, 0x8e1d60efe076fd82,
// 0x19c0a1fe19c97ee5
#include "ap_fixed.h"
namespace program1000748_ {
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
struct Record1 {
  ap_fixed<70, 46, AP_TRN_ZERO, AP_SAT_SYM, 0> m0;
  ap_int<58> m1;
};
static ap_int<16> h2(ap_uint<8> x3, ap_uint<32> x4) {
  if (((ap_uint<16>(-13773) - -52) >= ap_uint<32>(x4.range(31, (ap_uint<16>(ap_uint<7>(-50)) % 32).to_int())))) {
    x4 = (x4 - (((x3 < x3) || (x3 != 19)) ? ap_int<33>(ap_uint<8>(-149)) : ap_int<33>(ap_int<12>(3076))));
  }
  for (int i5 = 0; i5 < 3; ++i5) {
    switch ((ap_uint<3>(ap_uint<8>(x3.range(7, (ap_uint<16>(x3) % 8).to_int())))).to_int()) {
      case 2: {
        ap_int<128> v6 = ap_uint<32>(ap_int<32>(i5));
      }
      case 7: {
        x3 = ap_uint<58>(ap_uint<58>(754890142));
      } break;
      case 5: {
        x3 = x4;
      } break;
      case 0: {
        x3 = ap_uint<24>(11272283);
      }
      default: {
        x3 = ap_uint<64>((x4, x4));
      }
    }
    x3 = (ap_int<66>(ap_uint<72>((x4, x3, x4))) / ap_int<32>(ap_int<32>(x4) | 1));
    ap_uint<128> v7 = ap_int<24>(ap_int<12>(ap_uint<24>(6504228)));
    if ((ap_uint<24>(ap_int<128>(187480589)) >= 3)) return (ap_int<8>(96) + x4);
  }
  return ((ap_uint<64>(542195223) | ap_uint<33>(171524212)) ^ (ap_uint<32>(x4) / ap_uint<9>(ap_uint<9>(x4) | 1)));
}
static ap_int<32> h8(ap_uint<1> x9, ap_uint<24> x10) {
  if ((((x9 < 0) ? ap_int<32>(x10) : ap_int<32>(x10)) < x9)) {
    const int n12 = ap_uint<3>(x9).to_int();
    for (int i11 = 0; i11 < n12; ++i11) {
      ap_ufixed<8, 4, AP_TRN_ZERO, AP_WRAP, 0> v13 = larger<ap_ufixed<8, 4, AP_TRN_ZERO, AP_WRAP, 0>>(
          ap_ufixed<8, 4, AP_TRN_ZERO, AP_WRAP, 0>(
              ap_fixed<27, 31, AP_TRN_ZERO, AP_SAT_SYM, 0>(ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(0.008190) -
                                                           ap_fixed<70, 46, AP_TRN_ZERO, AP_SAT_SYM, 0>(0.011861))),
          ap_ufixed<8, 4, AP_TRN_ZERO, AP_WRAP, 0>(ap_fixed<33, 19, AP_RND_ZERO, AP_WRAP, 0>(59.999981)));
      x10 &= ap_int<24>(5536474);
    }
  }
  for (int i14 = 0; i14 < 1; ++i14) {
    ap_uint<64> v15 = (ap_int<12>(x9) - (ap_uint<1>(x9) << 5));
    x9 <<= 0;
    if (((x10 - x10) > ap_int<7>(ap_uint<32>(151438520)))) return ap_uint<8>(ap_uint<8>(x10).countLeadingZeros());
  }
  return (ap_int<40>((x10 & 144)) % ap_int<65>(ap_int<65>(ap_uint<1>(x9.range(0, 0))) | 1));
}
void transform16(hls::stream<ap_uint<64>>& in, hls::stream<signed char>& out) {
  static unsigned s17 = 10;
  long long s18 = 12;
  ap_fixed<70, 46, AP_TRN_ZERO, AP_SAT_SYM, 0> a19[2];
  for (int k20 = 0; k20 < 2; ++k20) {
    a19[k20] = 3 + k20 * 7;
  }
  for (int t = 0; t < 2; ++t) {
    ap_uint<64> word21;
    in >> word21;
    for (int i22 = 0; i22 < 2; ++i22) {
      word21.range(52, 47) = ap_uint<6>(((word21 + word21) * ap_uint<128>((word21, word21))));
      if ((ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(a19[ap_uint<1>((ap_int<107>(750485549) & ap_int<32>(i22)))] *
                                                     ap_fixed<27, 31, AP_TRN_ZERO, AP_SAT_SYM, 0>(0.162870)) <=
           ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(a19[ap_uint<1>((word21 + word21))] -
                                                          a19[ap_uint<1>(ap_int<32>(i22))])))
        break;
    }
    ap_fixed<27, 31, AP_TRN_ZERO, AP_SAT_SYM, 0> d23 = 0;
    d23.range() = ap_uint<27>(ap_uint<27>(ap_uint<8>((word21.range(19, 13), word21.range(62, 62)))) | 1);
    ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0> q24 =
        ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(
            ((ap_uint<107>(s18) == ap_uint<107>(s18))
                 ? ap_fixed<16, 2, AP_RND, AP_SAT, 0>(ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(-0.054925))
                 : ap_fixed<16, 2, AP_RND, AP_SAT, 0>(ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(0.224272)))) /
        d23;
    const int n26 = ap_uint<3>(word21).to_int();
    for (int i25 = 0; i25 < n26; ++i25) {
      if ((ap_uint<1>(q24.range(27, 27)) >= -20)) {
        auto l27 = [&](ap_int<107> x28) {
          signed char v29 = (signed char)(ap_uint<64>((ap_int<33>(ap_int<8>(-69)) -
                                                       (ap_uint<40>(word21) / ap_uint<4>(ap_uint<4>(x28) | 1))))
                                              .to_uint64());
          ap_fixed<70, 46, AP_TRN_ZERO, AP_SAT_SYM, 0> v30 =
              ((ap_uint<64>(1034192337) <= ap_int<12>(3218))
                   ? ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(ap_fixed<16, 2, AP_RND, AP_SAT, 0>(q24))
                   : ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(
                         ap_fixed<16, 2, AP_RND, AP_SAT, 0>(ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(-7.982415) ^
                                                            ap_ufixed<8, 4, AP_TRN_ZERO, AP_WRAP, 0>(ap_int<7>(x28)))));
          return ap_int<16>((ap_int<24>(s18) + ap_uint<12>(x28)));
        };
        ap_int<16> v31 = l27(ap_uint<79>((word21.range(54, 40), word21)));
      }
      unsigned char v32 =
          (unsigned char)(ap_uint<64>(((ap_int<32>(i25) + -164) - ap_uint<5>(word21.range(49, 45)))).to_uint64());
    }
    if (((ap_uint<7>(-15) <= ap_uint<19>(q24.range(35, 17))) &&
         (ap_fixed<33, 19, AP_RND_ZERO, AP_WRAP, 0>(a19[ap_uint<1>(word21)]) >= -1.648685))) {
      a19[ap_uint<1>(ap_uint<56>((word21.range(39, 4), word21.range(30, 11))))] =
          ap_fixed<27, 31, AP_TRN_ZERO, AP_SAT_SYM, 0>(
              ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(~ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(0.344686)) -
              ap_fixed<16, 2, AP_RND, AP_SAT, 0>(q24));
      step(word21);
      switch ((ap_uint<3>((ap_uint<16>(ap_uint<128>(s17)) >> ap_uint<8>(ap_int<128>(103199970))))).to_int()) {
        case 7: {
          word21 |=
              h2(ap_uint<8>(ap_int<32>(ap_uint<32>(s17))), ap_uint<32>((ap_int<12>(ap_int<32>(215659702)) << 15)));
        }
        case 2: {
          switch ((ap_uint<3>((((ap_int<7>(60) != word21) || ((word21 != ap_uint<33>(s17)) && (word21 >= 13)))
                                   ? ap_int<32>(word21)
                                   : ap_int<32>(word21))))
                      .to_int()) {
            case 2: {
              ap_uint<58> v33 = ap_uint<7>(word21.range(40, 34));
            } break;
            case 4: {
              q24.range(36, 36) = ap_uint<1>(((~ap_int<128>(865003650)) * ap_int<1>(1)));
            }
            default: {
              word21 = ap_uint<1>(ap_int<12>(word21));
            }
          }
        }
        case 3: {
          ap_uint<32> v34 =
              ((((ap_int<16>(s18) - s17) == (ap_int<128>(s18) ^ word21)) || ((word21 >= word21) || (word21 != word21)))
                   ? ap_uint<128>(((word21 != ap_int<1>(-1)) ? ap_uint<8>(word21) : ap_uint<8>(ap_int<16>(s17))))
                   : ap_uint<128>(ap_uint<128>((word21, word21))));
        } break;
      }
    } else {
      word21 = ap_int<58>(s18);
      a19[ap_uint<1>(ap_uint<8>(ap_uint<24>(word21).or_reduce()))] = ap_fixed<16, 2, AP_RND, AP_SAT, 0>(
          ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(q24 - a19[1]) +
          ((word21 < 17)
               ? ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(-28.331988))
               : ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(q24)));
    }
    out << ((signed char)((signed char)(ap_uint<64>(ap_uint<128>((word21, word21))).to_uint64())));
  }
}
void transform35(hls::stream<signed char>& in, hls::stream<ap_uint<100>>& out) {
  static ap_uint<33> s36 = 13;
  ap_int<33> s37 = 51;
  static ap_uint<128> s38 = 40;
  ap_int<1> a39[19];
  for (int k40 = 0; k40 < 19; ++k40) {
#pragma HLS UNROLL
    a39[k40] = 3 + k40 * 7;
  }
  ap_int<8> a41[4][5];
  for (int k42 = 0; k42 < 4; ++k42) {
#pragma HLS UNROLL
    for (int k43 = 0; k43 < 5; ++k43) {
#pragma HLS UNROLL
      a41[k42][k43] = 3 + k42 * 7 + k43 * 7;
    }
  }
  for (int t = 0; t < 2; ++t) {
    signed char word44 = in.read();
    s37 |= ((a41[ap_uint<2>(a41[ap_uint<2>(ap_int<12>(s36))][3])][2] <= -20)
                ? ap_uint<16>(ap_uint<36>((s37.range(30, 28), s37)))
                : ap_uint<16>(ap_int<12>(ap_ufixed<27, 22, AP_RND_CONV, AP_SAT_ZERO, 0>(
                      ap_fixed<33, 19, AP_RND_ZERO, AP_WRAP, 0>(-0.532961)))));
    if (((((s37 == s36) ? ap_int<8>(a39[ap_uint<12>((ap_uint<107>(s36) << ap_uint<8>(ap_uint<107>(word44)))) % 19])
                        : ap_int<8>(a41[ap_uint<2>(a39[ap_uint<12>((ap_int<64>(487729503) + ap_int<16>(-12564))) % 19])]
                                       [ap_uint<12>(a41[2][ap_uint<12>(ap_int<7>(23)) % 5]) % 5])) <
          ((ap_uint<64>(word44) <= a41[ap_uint<2>(ap_uint<58>(ap_fixed<70, 46, AP_TRN_ZERO, AP_SAT_SYM, 0>(
                                       ap_fixed<33, 19, AP_RND_ZERO, AP_WRAP, 0>(60.928966))))][ap_uint<12>(s36) % 5])
               ? ap_uint<128>(ap_uint<7>(word44))
               : ap_uint<128>(s38))) ||
         (ap_uint<58>(word44) <= a41[ap_uint<2>(a39[12])][ap_uint<12>((ap_uint<16>(ap_uint<58>(word44)) << 8)) % 5]))) {
      a39[ap_uint<12>((ap_uint<8>(s36) >> 6)) % 19] = ((-a39[ap_uint<12>((word44 * s37)) % 19]) + ap_uint<32>(word44));
      s38 |= (a39[ap_uint<12>((ap_int<64>(433439936) & ap_uint<16>(-18518))) % 19] - ap_uint<107>(word44));
      a39[ap_uint<12>(ap_uint<161>((s38, s37))) % 19] ^= ap_int<33>((ap_uint<33>(ap_int<8>(197)) >> 26));
    }
    auto l45 = [&](ap_uint<58> x46) {
      ap_fixed<33, 19, AP_RND_ZERO, AP_WRAP, 0> d47 = 0;
      d47.range() = ap_uint<33>(ap_uint<33>(ap_uint<33>(s36.range(32, (ap_uint<16>(s38) % 33).to_int()))) | 1);
      ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0> q48 =
          ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(
              ((s37 != s38)
                   ? ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(ap_fixed<37, 23, AP_TRN_ZERO, AP_WRAP, 0>(2.105438))
                   : ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(ap_ufixed<6, 2, AP_TRN_ZERO, AP_WRAP, 0>(-1.737151)))) /
          d47;
      s36 = ap_uint<1>(s37[17]);
      return ap_uint<8>(ap_uint<58>(((s36 != 9) ? ap_int<8>(x46) : ap_int<8>(x46))));
    };
    ap_uint<8> v49 = l45((s37 + s38));
    out << (ap_uint<100>(
        (ap_int<64>(a41[ap_uint<2>((s37 | ap_int<107>(word44)))][ap_uint<12>(ap_uint<7>(ap_int<128>(49464912))) % 5]) |
         a41[ap_uint<2>(ap_uint<60>((s36.range(29, 11), v49, s37)))][ap_uint<12>(ap_int<58>(word44)) % 5])));
  }
}
}  // namespace program1000748_
void program1000748(hls::stream<ap_uint<64>>& in, hls::stream<ap_uint<100>>& out) {
  using namespace program1000748_;
#pragma HLS DATAFLOW
  hls::stream<signed char, 1> between0;
  transform16(in, between0);
  transform35(between0, out);
}
