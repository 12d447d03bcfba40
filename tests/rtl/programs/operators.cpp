// Prints the number and a checksum of every operator's results for many pairs of types. Compiled twice: with Xilinx'
// ap_types and with the compiler's own ap_int.h; the two outputs must be the same text.
#define AP_INT_MAX_W 4096
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#include "ap_int.h"

extern "C" void rtl_refuse_mixed_sign_division() { std::abort(); }

namespace {

// A negative number and an unsigned one are not divided: the compiler refuses that.
template <typename A, typename B>
bool divisible(const A& a, const B& b) {
  const bool a_signed = A(-1) < 0, b_signed = B(-1) < 0;
  return b != 0 && (a_signed == b_signed || (a_signed ? !(a < 0) : !(b < 0)));
}

struct Checksum {
  uint64_t state = 1469598103934665603ull;
  uint64_t count = 0;
  int width = 0;
  bool is_signed = false;

  void add_bit(bool bit) { state = (state ^ (bit ? 0x9e : 0x31)) * 1099511628211ull; }

  template <int W, bool S>
  void add(const ap_int_base<W, S>& value) {
    width = W;
    is_signed = S;
    ++count;
    for (int bit = 0; bit < W; ++bit) add_bit(value.get_bit(bit));
  }
  void add(bool value) {
    ++count;
    add_bit(value);
  }
  void add(int value) { add(ap_int_base<32, true>(value)); }
  void add(unsigned value) { add(ap_int_base<32, false>(value)); }
  void add(long long value) { add(ap_int_base<64, true>(value)); }
  void add(unsigned long long value) { add(ap_int_base<64, false>(value)); }
};

uint64_t random_state = 88172645463325252ull;
uint64_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

// Values to try: all of them for narrow types, else corners and random ones.
template <typename T, int W>
T sample(int number) {
  T value = 0;
  if (W <= 4) {
    value = number;
    return value;
  }
  for (int bit = 0; bit < W; ++bit) {
    const bool corner = number == 0   ? false
                        : number == 1 ? true
                        : number == 2 ? bit == W - 1
                        : number == 3 ? bit != W - 1
                        : number == 4 ? bit == 0
                                      : ((next_random() >> 20) & 1) != 0;
    value.set_bit(bit, corner);
  }
  return value;
}
constexpr int samples(int width) { return width <= 4 ? 1 << width : 24; }

void report(const char* what, int wa, bool sa, int wb, bool sb, const Checksum& sum) {
  std::printf("%s %d%c %d%c -> %d%c %llu %016llx\n", what, wa, sa ? 's' : 'u', wb, sb ? 's' : 'u', sum.width,
              sum.is_signed ? 's' : 'u', static_cast<unsigned long long>(sum.count),
              static_cast<unsigned long long>(sum.state));
}

#define BINARY(NAME, EXPRESSION)                     \
  {                                                  \
    Checksum sum;                                    \
    random_state = 88172645463325252ull;             \
    for (int i = 0; i < samples(WA); ++i) {          \
      for (int j = 0; j < samples(WB); ++j) {        \
        A a = sample<A, WA>(i);                      \
        B b = sample<B, WB>(j);                      \
        (void)a, (void)b;                            \
        EXPRESSION;                                  \
      }                                              \
    }                                                \
    report(NAME, WA, A(-1) < 0, WB, B(-1) < 0, sum); \
  }

template <typename A, int WA, typename B, int WB>
void binary() {
  BINARY("add", sum.add(a + b))
  BINARY("sub", sum.add(a - b))
  BINARY("mul", sum.add(a * b))
  BINARY("div", if (divisible(a, b)) sum.add(a / b))
  BINARY("mod", if (divisible(a, b)) sum.add(a % b))
  BINARY("and", sum.add(a & b))
  BINARY("or", sum.add(a | b))
  BINARY("xor", sum.add(a ^ b))
  BINARY("eq", sum.add(a == b))
  BINARY("ne", sum.add(a != b))
  BINARY("lt", sum.add(a < b))
  BINARY("gt", sum.add(a > b))
  BINARY("le", sum.add(a <= b))
  BINARY("ge", sum.add(a >= b))
  BINARY("convert", A c(b); sum.add(c))
  BINARY("assign", A c; c = b; sum.add(c))
  BINARY("concat", sum.add((a, b).get()))
  BINARY("unconcat", (a, b) = ap_int<WA + WB>(a * b + 77); sum.add(a); sum.add(b))
  BINARY("compound_add", a += b; sum.add(a))
  BINARY("compound_sub", a -= b; sum.add(a))
  BINARY("compound_mul", a *= b; sum.add(a))
  BINARY("compound_div", if (divisible(a, b)) a /= b; sum.add(a))
  BINARY("compound_mod", if (divisible(a, b)) a %= b; sum.add(a))
  BINARY("compound_and", a &= b; sum.add(a))
  BINARY("compound_or", a |= b; sum.add(a))
  BINARY("compound_xor", a ^= b; sum.add(a))
  BINARY("range_assign", a.range(WA - 1, WA / 2) = b; sum.add(a))
  BINARY("range_plus", sum.add(a.range(WA - 1, WA / 2) + b))
  BINARY("range_compare", sum.add(a.range(WA / 2, 0) == b))
  BINARY("plus_range", sum.add(a + b.range(WB / 2, 0)))
  BINARY("range_range", sum.add(a.range(WA / 2, 0) * b.range(WB - 1, WB / 3)))
  BINARY("range_range_less", sum.add(a.range(WA / 2, 0) < b.range(WB - 1, WB / 3)))
  BINARY("range_concat", sum.add(ap_uint<WA + WB>((a.range(WA - 1, WA / 2), b))))
  BINARY("bit_arithmetic", sum.add(a[0] + b))
}

template <typename A, int WA, typename B>
void shifts() {
  constexpr int WB = 5;
  using Small = ap_uint<5>;
  BINARY("shl", sum.add(a << B(Small(b))))
  BINARY("shr", sum.add(a >> B(Small(b))))
  BINARY("compound_shl", a <<= B(Small(b)); sum.add(a))
  BINARY("compound_shr", a >>= B(Small(b)); sum.add(a))
}

template <typename A, int WA, typename B>
void native() {
  constexpr int WB = 8 * sizeof(B) == 8 ? 8 : 16;
#define NATIVE(NAME, EXPRESSION)                                                  \
  {                                                                               \
    Checksum sum;                                                                 \
    random_state = 88172645463325252ull;                                          \
    for (int i = 0; i < samples(WA); ++i) {                                       \
      for (int j = 0; j < samples(WB); ++j) {                                     \
        A a = sample<A, WA>(i);                                                   \
        const B b = static_cast<B>(sample<ap_uint<WB>, WB>(j).to_uint64() - 99u); \
        (void)a, (void)b;                                                         \
        EXPRESSION;                                                               \
      }                                                                           \
    }                                                                             \
    report(NAME, WA, A(-1) < 0, 8 * sizeof(B), std::is_signed<B>::value, sum);    \
  }
  NATIVE("native_add", sum.add(a + b); sum.add(b + a))
  NATIVE("native_sub", sum.add(a - b); sum.add(b - a))
  NATIVE("native_mul", sum.add(a * b); sum.add(b * a))
  NATIVE("native_div", if (divisible(a, b)) sum.add(a / b))
  NATIVE("native_over", if (divisible(b, a)) sum.add(b / a))
  NATIVE("native_mod", if (divisible(a, b)) sum.add(a % b))
  NATIVE("native_into", if (divisible(b, a)) sum.add(b % a))
  NATIVE("native_and", sum.add(a & b); sum.add(b & a))
  NATIVE("native_or", sum.add(a | b); sum.add(b | a))
  NATIVE("native_xor", sum.add(a ^ b); sum.add(b ^ a))
  NATIVE("native_lt", sum.add(a < b); sum.add(b < a))
  NATIVE("native_ge", sum.add(a >= b); sum.add(b >= a))
  NATIVE("native_eq", sum.add(a == b); sum.add(b != a))
  NATIVE("native_assign", a = b; sum.add(a))
  NATIVE("native_range_assign", a.range(WA - 1, 0) = b; sum.add(a))
  NATIVE("native_range_add", sum.add(a.range(WA / 2, 0) + b); sum.add(b - a.range(WA / 2, 0)))
  NATIVE("native_range_lt", sum.add(a.range(WA / 2, 0) < b); sum.add(b < a.range(WA / 2, 0)))
  NATIVE("native_compound", a += b; a ^= b; a *= b; sum.add(a))
}

template <typename A, int WA>
void unary() {
  using B = ap_uint<8>;
  constexpr int WB = 8;
  BINARY("minus", sum.add(-a))
  BINARY("not", sum.add(~a))
  BINARY("plus", sum.add(+a))
  BINARY("logical_not", sum.add(!a))
  BINARY("as_bool", sum.add(a ? true : false))
  BINARY("increment", sum.add(a++); sum.add(++a); sum.add(a))
  BINARY("decrement", sum.add(a--); sum.add(--a); sum.add(a))
  BINARY("range", const int l = b.to_int() % WA; const int h = l + (b.to_int() / 7) % (WA - l);
         sum.add(a.range(h, l).get()))
  BINARY("range_reversed", const int l = b.to_int() % WA; const int h = l + (b.to_int() / 7) % (WA - l);
         sum.add(a.range(l, h).get()))
  BINARY("range_set", const int l = b.to_int() % WA; const int h = l + (b.to_int() / 7) % (WA - l); a.range(h, l) = b;
         sum.add(a))
  BINARY("range_set_reversed", const int l = b.to_int() % WA; const int h = l + (b.to_int() / 7) % (WA - l);
         a.range(l, h) = b; sum.add(a))
  BINARY("bit", sum.add(bool(a[b.to_int() % WA])); sum.add(a.test(b.to_int() % WA)))
  BINARY("bit_set", a[b.to_int() % WA] = b[3]; sum.add(a))
  BINARY("bit_not", sum.add(bool(~a[b.to_int() % WA])))
  BINARY("call", const int l = b.to_int() % WA; sum.add(a(WA - 1, l).get()))
  BINARY("reduce", sum.add(a.and_reduce()); sum.add(a.or_reduce()); sum.add(a.nor_reduce());
         if constexpr (WA <= 64) sum.add(a.nand_reduce()))
  BINARY("parity", const ap_uint<WA> u = a; sum.add(u.xor_reduce()); sum.add(u.xnor_reduce()))
  BINARY("leading_zeros", sum.add(a.countLeadingZeros()))
  BINARY("reverse", a.reverse(); sum.add(a))
  BINARY("to", sum.add(a.to_int()); sum.add(a.to_uint()); sum.add(static_cast<long long>(a.to_int64()));
         sum.add(static_cast<unsigned long long>(a.to_uint64())))
  BINARY("to_native", sum.add(static_cast<int>(a)); sum.add(static_cast<unsigned long long>(a)))
  BINARY("shift_int", sum.add(a << (b.to_int() % (WA + 4))); sum.add(a >> (b.to_int() % (WA + 4))))
  BINARY("shift_back", sum.add(a << -(b.to_int() % WA)); sum.add(a >> -(b.to_int() % WA)))
  BINARY("sign", sum.add(a.sign()); sum.add(a.length()))
}

template <typename A, int WA>
void pairs_with() {
#ifdef WIDE
  binary<A, WA, ap_int<4>, 4>();
  binary<A, WA, ap_uint<64>, 64>();
  binary<A, WA, ap_int<65>, 65>();
  binary<A, WA, ap_uint<130>, 130>();
#else
  binary<A, WA, ap_uint<1>, 1>();
  binary<A, WA, ap_int<2>, 2>();
  binary<A, WA, ap_uint<3>, 3>();
  binary<A, WA, ap_int<4>, 4>();
#endif
  unary<A, WA>();
  shifts<A, WA, ap_uint<5>>();
  shifts<A, WA, ap_int<5>>();
  native<A, WA, bool>();
  native<A, WA, unsigned char>();
  native<A, WA, int>();
  native<A, WA, long long>();
  native<A, WA, unsigned long long>();
}

}  // namespace

int main() {
#ifdef WIDE
  pairs_with<ap_uint<8>, 8>();
  pairs_with<ap_int<64>, 64>();
  pairs_with<ap_int<130>, 130>();
#else
  pairs_with<ap_int<1>, 1>();
  pairs_with<ap_uint<1>, 1>();
  pairs_with<ap_int<3>, 3>();
  pairs_with<ap_uint<4>, 4>();
#endif
  return 0;
}
