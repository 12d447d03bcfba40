// A row chosen by a condition: its offset is a phi of constants and masked numbers.
// calls: 3
// in: 0x6513270e, 0xa6a3a450, 0xc5c7fd0, 0x128b2f33, 0xd23f0824, 0x892f902b, 0x1818e811, 0x5d9dc9f8, 0x9531985d
#include "ap_fixed.h"
namespace program7_ {
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
static ap_int<32> h1(ap_int<1> x2) {
  x2.range(0, 0) = ap_uint<1>(((ap_uint<64>(x2) << 24) + ap_uint<64>(620882635)));
  for (int i3 = 0; i3 < 1; ++i3) {
    x2 = (-(x2 * 7));
    if ((((x2 + ap_int<18>(250570)) >= (ap_int<18>(x2) >> ap_uint<8>(x2))) || ((x2 < 9) && (ap_int<16>(-626) > 8)))) {
      x2.range(0, 0) = ap_uint<1>((x2 - ap_int<9>(-139)));
    }
    ap_uint<64> v4 = ap_uint<1>(x2.range(0, (ap_uint<16>(ap_int<91>(408282302)) % 1).to_int()));
    if (((x2 + ap_int<65>(216844494)) >= -14)) return (ap_uint<13>(x2) / ap_uint<65>(ap_uint<65>(x2) | 1));
  }
  return ap_uint<2>((x2, x2));
}
static ap_uint<32> h5(ap_uint<9> x6, ap_uint<9> x7) {
  x7 = ((x6 ^ ap_int<7>(-28)) + (~x7));
  for (int i8 = 0; i8 < 2; ++i8) {
    ap_fixed<70, 2, AP_RND, AP_WRAP, 22> v9 =
        ((x6 < ap_int<9>(-20))
             ? ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
                   ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(-0.012543) *
                                                            ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(0.220391)))
             : ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
                   (ap_fixed<70, 69, AP_RND, AP_SAT_SYM, 0>(ap_fixed<70, 24, AP_RND_CONV, AP_WRAP, 0>(0.032911)) >>
                    19)));
    x6++;
    ap_uint<65> v10 = ap_uint<18>((x6, x6));
    if (((x7 * x6) <= (x6 + ap_int<16>(-39913)))) return (ap_uint<64>(556421621) | x7);
  }
  return h1(ap_int<1>((x6 - -54)));
}
void transform16(hls::stream<ap_uint<32>>& in, hls::stream<int>& out) {
  static ap_uint<8> s17 = 12;
  static ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0> a18[19];
  for (int t = 0; t < 3; ++t) {
    ap_uint<32> word19;
    in.read(word19);
    s17 >>= 0;
    word19 >>= 33;
    a18[ap_uint<12>((ap_uint<32>(554310058) - ap_int<16>(-17944))) % 19] =
        (ap_fixed<70, 69, AP_RND, AP_SAT_SYM, 0>(ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
             ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(0.076022) +
             a18[ap_uint<12>((ap_uint<16>(ap_int<8>(63)) << ap_uint<6>(s17))) % 19])) >>
         ap_uint<4>(s17));
    ap_int<8> v20 = ((-word19) + s17);
    out << ((int)((int)(ap_uint<64>((ap_uint<1>(ap_uint<91>(547835096)) ^ v20)).to_uint64())));
  }
}
void single21(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<7>>& out) {
  unsigned short s22 = 37;
  ap_int<8> s23 = 33;
  static ap_ufixed<64, 20, AP_RND_CONV, AP_WRAP, 11> a24[4][2] = {
      {0.010479, -4.462862}, {15.883481, 0.002839}, {0.006242, -0.005624}, {0.337931, 21.041398}};
  ap_uint<32> word25;
  in >> word25;
  if (((s23 * ap_uint<127>(920747407)) == 3)) {
    a24[ap_uint<2>(s23)][ap_uint<1>(word25)] =
        ((ap_int<58>(340541497) != ap_uint<58>(869582812))
             ? ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
                   ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(7.664163) |
                                                             ap_fixed<70, 24, AP_RND_CONV, AP_WRAP, 0>(0.004842)))
             : ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(ap_fixed<70, 2, AP_RND, AP_WRAP, 22>(
                   a24[ap_uint<2>(ap_int<58>(612151504))][ap_uint<1>((ap_uint<64>(964140024) & ap_uint<7>(s22)))] |
                   ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(ap_uint<7>(ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
                       ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(-2.121681)))))));
    s22 = (unsigned short)((unsigned long long)(s22) * (unsigned long long)((ap_uint<1>(0) ^ s23)));
  } else {
    s23 = ap_uint<10>((s23.range(5, 4), s23));
    word25.range(23, 12) =
        ap_uint<12>(((((word25 == -10) || (ap_uint<18>(s22) == 15)) ? ap_uint<8>(ap_uint<1>(-1))
                                                                    : ap_uint<8>(ap_int<32>(638411646))) +
                     h1(ap_int<1>(s23))));
    word25 >>= 24;
  }
  if ((ap_uint<18>(ap_uint<65>(s22)) >= 7)) {
    if (((ap_uint<8>(-145) - s23) != -12)) {
      a24[ap_uint<2>(ap_int<7>(ap_int<65>(s22)))][ap_uint<1>((s23 | word25))] = ap_fixed<70, 69, AP_RND, AP_SAT_SYM, 0>(
          ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(0.043575) -
          (ap_fixed<70, 2, AP_RND, AP_WRAP, 22>(ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
               ((word25 < -6) ? ap_int<127>(s23) : ap_int<127>(ap_uint<16>(-47859))))) >>
           29));
    }
    out.write(ap_uint<7>(h1(ap_int<1>((s23 + ap_uint<1>(-1))))));
    return;
  }
  word25.range(9, 7) = ap_uint<3>(((~ap_int<16>(44612)) - word25));
  for (int i26 = 5; i26 > 1; i26 -= 1) {
    if ((ap_uint<18>(s22) != 6)) {
      s22 = (unsigned short)(ap_uint<64>(ap_uint<52>((word25.range(23, 4), word25))).to_uint64());
      word25++;
    }
    s23 |= (((ap_uint<18>(s23) != (ap_uint<7>(s22) + ap_int<1>(0))) || (s23 >= ap_int<32>(503466869)))
                ? ap_int<7>((-word25))
                : ap_int<7>(h5(ap_uint<9>(ap_int<58>(650314952)), ap_uint<9>(s23))));
  }
  out << (ap_uint<7>(ap_int<127>((s23 & ap_int<65>(138117155)))));
}
void diamond11(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& a, hls::stream<ap_uint<32>>& b) {
  for (int t = 0; t < 3; ++t) {
    ap_uint<32> word = in.read();
    a.write(word);
    b.write(word);
  }
}
void diamond11_end(hls::stream<int>& in0, hls::stream<ap_uint<7>>& in1, hls::stream<unsigned char>& out) {
  for (int t = 0; t < 3; ++t) {
    int way0 = in0.read();
    ap_uint<7> way1 = in1.read();
    out.write((unsigned char)((
        unsigned char)(ap_uint<64>(ap_uint<12>((way1.range(3, 2), way1.range(6, 4), way1))).to_uint64())));
  }
}
void transform27(hls::stream<unsigned char>& in, hls::stream<ap_uint<64>>& out) {
  unsigned char s28 = 44;
  static ap_int<18> s29 = 32;
  static ap_uint<127> s30 = 1;
  ap_int<18> a31[2][4];
  for (int k32 = 0; k32 < 2; ++k32) {
#pragma HLS UNROLL
    for (int k33 = 0; k33 < 4; ++k33) {
#pragma HLS UNROLL
      a31[k32][k33] = 3 + k32 * 7 + k33 * 7;
    }
  }
  for (int t = 0; t < 3; ++t) {
    unsigned char word34 = in.read();
    ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0> d35 = 0;
    d35.range() = ap_uint<34>(ap_uint<34>((ap_uint<65>(word34) | s30)) | 1);
    ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0> q36 =
        ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(
            ((s30 != 15)
                 ? ap_ufixed<64, 20, AP_RND_CONV, AP_WRAP, 11>(ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(-0.003182))
                 : ap_ufixed<64, 20, AP_RND_CONV, AP_WRAP, 11>(ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(-0.003548)))) /
        d35;
    for (int i37 = 2; i37 < 4; i37 += 1) {
#pragma HLS PIPELINE II = 1
      ap_int<7> v38 = ap_uint<128>((s30.range(120, 120), s30));
      a31[ap_uint<1>((ap_uint<13>(s29) / ap_uint<65>(ap_uint<65>(ap_uint<9>(s28)) | 1)))][ap_uint<2>(ap_int<7>(s29))] =
          v38;
    }
    q36 = (((ap_fixed<6, 2, AP_RND_INF, AP_WRAP, 2>(q36) == -3.110544) || (s29 < 11))
               ? ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(ap_fixed<70, 24, AP_RND_CONV, AP_WRAP, 0>(q36 - q36))
               : ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(ap_ufixed<64, 20, AP_RND_CONV, AP_WRAP, 11>(
                     q36 - ap_fixed<70, 69, AP_RND, AP_SAT_SYM, 0>(-0.006692))));
    for (int i39 = 2; i39 > 1; i39 -= 1) {
      if (((a31[0][ap_uint<2>(ap_uint<254>((s30, s30)))] - a31[ap_uint<1>((-ap_int<32>(i39)))][ap_uint<2>(s30)]) !=
           ap_uint<18>(ap_int<32>(i39)))) {
        ap_uint<16> v40 = (ap_uint<91>(ap_int<1>(ap_int<91>(115759578))) << ap_uint<6>(s30));
      } else {
        a31[ap_uint<1>((ap_uint<7>(word34) - ap_uint<1>(-1)))][ap_uint<2>((s30 ^ s30))] ^=
            h1(ap_int<1>(a31[ap_uint<1>(s29)][ap_uint<2>((ap_int<16>(-52825) + ap_uint<65>(890682227)))]));
      }
      switch ((ap_uint<3>((~ap_int<32>(i39)))).to_int()) {
        case 7: {
          s28 = (unsigned char)(ap_uint<64>(
                                    (((a31[0][ap_uint<2>(ap_int<1>(-2))] >= ap_uint<2>(s29.range(12, 11))) ||
                                      (q36 >= q36))
                                         ? ap_int<7>(ap_uint<127>(s30.range(126, (ap_uint<16>(s30) % 127).to_int())))
                                         : ap_int<7>(h5(
                                               ap_uint<9>(ap_int<9>(-481)),
                                               ap_uint<9>(a31[ap_uint<1>((s30 ^ ap_int<32>(512560257)))]
                                                             [ap_uint<2>((ap_int<32>(i39) + ap_int<127>(word34)))])))))
                                    .to_uint64());
        } break;
        case 0: {
          s29 = ap_int<16>((s29 ^ s30));
        }
        case 5: {
          q36 = ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(ap_fixed<70, 15, AP_RND_ZERO, AP_WRAP, 0>(q36 + q36) +
                                                         ap_fixed<70, 24, AP_RND_CONV, AP_WRAP, 0>(q36));
        }
        case 3: {
          a31[ap_uint<1>((((ap_int<32>(i39) >= s29) && (ap_uint<64>(word34) != s29)) ? ap_int<58>(s29)
                                                                                     : ap_int<58>(ap_uint<127>(s28))))]
             [ap_uint<2>(((ap_uint<16>(s28) < ap_int<32>(i39)) ? ap_uint<18>(s30) : ap_uint<18>(s30)))] =
                 ap_uint<145>((s29, s30));
        } break;
        default: {
          for (int i41 = 0; i41 < 4; ++i41) {
#pragma HLS UNROLL
            auto l42 = [&](ap_uint<8> x43) {
              s29 = ap_uint<1>(q36[17]);
              ap_int<40> v44 = scaled<2>((~ap_int<32>(i41)));
              return ap_int<7>((ap_int<91>((v44 & v44)) << 77));
            };
            ap_int<7> v45 = l42(((ap_int<127>(899993475) > 7) ? ap_uint<91>(s29) : ap_uint<91>(s30)));
            q36.range(33, 33) = ap_uint<1>(
                ap_int<1>((a31[ap_uint<1>(ap_uint<7>(ap_ufixed<64, 20, AP_RND_CONV, AP_WRAP, 11>(q36)))]
                              [ap_uint<2>(((v45 > 6) ? ap_uint<18>(ap_int<58>(s28)) : ap_uint<18>(ap_int<32>(i39))))] +
                           word34)));
            v45 = ap_int<32>(ap_fixed<13, 6, AP_RND_CONV, AP_WRAP, 0>(
                ap_fixed<70, 2, AP_RND, AP_WRAP, 22>((ap_uint<58>(ap_uint<16>(s28)) << ap_uint<6>(ap_int<32>(i41))))));
          }
        }
      }
      s29 *= ((ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(q36) != ap_fixed<34, 16, AP_RND, AP_SAT_ZERO, 0>(q36 + q36))
                  ? ap_int<58>((ap_int<91>(word34) & s30))
                  : ap_int<58>(ap_int<32>(i39)));
    }
    out << (ap_uint<64>((ap_uint<19>(s30.range(103, 85)) -
                         h5(ap_uint<9>(a31[ap_uint<1>(ap_uint<7>(ap_uint<9>(457)))][ap_uint<2>(ap_uint<8>(s28))]),
                            ap_uint<9>(ap_uint<64>(s28))))));
  }
}
}  // namespace program7_
void program7(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
  using namespace program7_;
#pragma HLS DATAFLOW
  hls::stream<ap_uint<32>, 1> branch12;
  hls::stream<ap_uint<32>, 4> branch14;
  hls::stream<int, 2> branch13;
  hls::stream<ap_uint<7>, 1> branch15;
  hls::stream<unsigned char, 3> between0;
  diamond11(in, branch12, branch14);
  transform16(branch12, branch13);
#ifdef __SYNTHESIS__
  single21(branch14, branch15);
#else
  for (int t = 0; t < 3; ++t) single21(branch14, branch15);
#endif
  diamond11_end(branch13, branch15, between0);
  transform27(between0, out);
}
