// Prints a checksum of every fixed-point operation for many pairs of types. Compiled twice, with Xilinx' ap_types and
// with the compiler's own ap_fixed.h; the two outputs must be the same text. PART chooses:
//
//   1  conversions: all pairs of modes; all values of up to 6 bits, corners and random values of wide numbers,
//   constants 2  operators: all values of up to 4 bits, corners and random values of wide numbers
#define AP_INT_MAX_W 4096
#define NDEBUG  // ap_types looks at a bit above a number that rounds to a last bit far above it, and ignores what it
                // saw
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "ap_fixed.h"
#include "utils/x_hls_utils.h"

extern "C" void rtl_refuse_mixed_sign_division() { std::abort(); }
extern "C" void rtl_refuse_infinite_constant() { std::abort(); }

namespace {

std::string fixed_name(bool is_signed, int width, int integer, int quantisation, int overflow, int saturated) {
  char text[64];
  std::snprintf(text, sizeof text, "%s<%d,%d,%d,%d,%d>", is_signed ? "fixed" : "ufixed", width, integer, quantisation,
                overflow, saturated);
  return text;
}
std::string plain_name(const char* name, int width) { return name + std::to_string(width); }

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
std::string name_of(const ap_fixed_base<W, I, S, Q, O, N>*) {
  return fixed_name(S, W, I, Q, O, N);
}
template <int W, bool S>
std::string name_of(const ap_int_base<W, S>*) {
  return plain_name(S ? "ap_int" : "ap_uint", W);
}
template <typename T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
std::string name_of(const T*) {
  return plain_name(std::is_floating_point<T>::value ? "float"
                    : std::is_signed<T>::value       ? "int"
                                                     : "unsigned",
                    8 * sizeof(T));
}

struct Checksum {
  uint64_t state = 1469598103934665603ull;
  uint64_t count = 0;
  std::string type;

  void word(uint64_t bits) { state = (state ^ bits ^ (bits >> 29)) * 1099511628211ull; }
  template <typename Bits>
  void bits(const Bits& value, int width) {
    ++count;
    for (int low = 0; low < width; low += 64) word((value >> low).to_uint64());
  }

  template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
  void add(const ap_fixed_base<W, I, S, Q, O, N>& value) {
    type = name_of(&value);
    bits(value.V, W);
  }
  template <int W, bool S>
  void add(const ap_int_base<W, S>& value) {
    type = name_of(&value);
    bits(value, W);
  }
  template <typename T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
  void add(T value) {
    type = name_of(&value);
    uint64_t raw = 0;
    std::memcpy(&raw, &value, sizeof value);
    ++count;
    word(raw);
  }
  void report(const char* what, const std::string& a, const std::string& b = "") const {
    std::printf("%s %s %s -> %s %llu %016llx\n", what, a.c_str(), b.c_str(), type.c_str(),
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(state));
  }
};

uint64_t random_state;
uint64_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * 2685821657736338717ull;
}

template <typename T, bool Native = std::is_arithmetic<T>::value>
struct Sampled {
  static constexpr int width = T::width;
  static T from(uint64_t low, uint64_t others) {
    T value = 0;
    for (int bit = 0; bit < width; bit += 64) {
      value.range(bit + 63 < width ? bit + 63 : width - 1, bit) = static_cast<unsigned long long>(bit ? others : low);
    }
    return value;
  }
  static void set_top(T& value, bool top) { value[width - 1] = top; }
};
template <typename T>
struct Sampled<T, true> {
  static constexpr int width = std::is_same<T, bool>::value ? 1 : 8 * sizeof(T);
  static T from(uint64_t low, uint64_t) { return static_cast<T>(low); }
  static void set_top(T& value, bool top) {
    if (width > 1) value = static_cast<T>(top ? value | T(1) << (width - 1) : value & ~(T(1) << (width - 1)));
  }
};

template <typename T>
constexpr bool has_few_values = Sampled<T>::width <= 4;

constexpr int kCorners = 5;
template <typename T>
T corner(int number) {
  const uint64_t others = number == 1 || number == 3 ? ~0ull : 0;
  T value = Sampled<T>::from(others | (number == 4), others);
  if (number == 2 || number == 3) Sampled<T>::set_top(value, number == 2);
  return value;
}
template <typename T>
T random_value() {
  const uint64_t low = next_random();
  return Sampled<T>::from(low, next_random());
}

// All pairs of values of narrow types, else pairs of corners and random pairs.
template <typename A, typename B>
struct Operands {
  static constexpr bool all = has_few_values<A> && has_few_values<B>;
  static constexpr int count_a = all ? 1 << Sampled<A>::width : kCorners;
  static constexpr int count_b = all ? 1 << Sampled<B>::width : kCorners;
  static constexpr int count = count_a * count_b + (all ? 0 : 3200);
  A a[count];
  B b[count];

  Operands() {
    random_state = 88172645463325252ull;
    for (int i = 0; i < count; ++i) {
      const bool listed = i < count_a * count_b;
      a[i] = all ? Sampled<A>::from(i / count_b, 0) : listed ? corner<A>(i / count_b) : random_value<A>();
      b[i] = all ? Sampled<B>::from(i % count_b, 0) : listed ? corner<B>(i % count_b) : random_value<B>();
    }
  }
};

// Calls operation(sum, a, b) for them.
template <typename A, typename B, typename F>
void pairs(const char* what, F operation) {
  static const Operands<A, B> operands;
  Checksum sum;
  for (int i = 0; i < operands.count; ++i) operation(sum, operands.a[i], operands.b[i]);
  sum.report(what, name_of(operands.a), name_of(operands.b));
}

template <typename T>
constexpr bool is_signed_type = T(-1) < T(0);
template <>
constexpr bool is_signed_type<bool> = false;
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
constexpr bool is_signed_type<ap_fixed<W, I, Q, O, N>> = true;
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
constexpr bool is_signed_type<ap_ufixed<W, I, Q, O, N>> = false;
template <int W>
constexpr bool is_signed_type<ap_int<W>> = true;
template <int W>
constexpr bool is_signed_type<ap_uint<W>> = false;

// A negative number and an unsigned one are not divided: the compiler refuses that.
template <typename A, typename B>
bool divisible(const A& a, const B& b) {
  if (b == 0) return false;
  return is_signed_type<A> == is_signed_type<B> || !(is_signed_type<A> ? a < 0 : b < 0);
}

template <typename A, typename B>
void arithmetic() {
  pairs<A, B>("add", [](auto& sum, auto a, auto b) { sum.add(a + b); });
  pairs<A, B>("sub", [](auto& sum, auto a, auto b) { sum.add(a - b); });
  pairs<A, B>("mul", [](auto& sum, auto a, auto b) { sum.add(a * b); });
  pairs<A, B>("div", [](auto& sum, auto a, auto b) {
    if (divisible(a, b)) sum.add(a / b);
  });
  pairs<A, B>("and", [](auto& sum, auto a, auto b) { sum.add(a & b); });
  pairs<A, B>("or", [](auto& sum, auto a, auto b) { sum.add(a | b); });
  pairs<A, B>("xor", [](auto& sum, auto a, auto b) { sum.add(a ^ b); });
  pairs<A, B>("compare", [](auto& sum, auto a, auto b) {
    sum.add(a == b), sum.add(a != b), sum.add(a < b), sum.add(a > b), sum.add(a <= b), sum.add(a >= b);
  });
}

template <typename A, typename B>
void compound() {
  pairs<A, B>("compound", [](auto& sum, auto a, auto b) {
    const A before = a;
    sum.add(a += b), a = before;
    sum.add(a -= b), a = before;
    sum.add(a *= b), a = before;
    if (divisible(a, b)) sum.add(a /= b), a = before;
    sum.add(a &= b), a = before;
    sum.add(a |= b), a = before;
    sum.add(a ^= b);
  });
}

template <typename A, typename B>
void shifts() {
  pairs<A, B>("shift", [](auto& sum, auto a, auto b) { sum.add(a << b), sum.add(a >> b); });
  pairs<A, B>("compound_shift", [](auto& sum, auto a, auto b) { sum.add(a <<= b), sum.add(a >>= b); });
}

template <typename A>
void unary() {
  pairs<A, bool>("minus", [](auto& sum, auto a, auto b) { sum.add(-a); });
  pairs<A, bool>("not", [](auto& sum, auto a, auto b) { sum.add(~a); });
  pairs<A, bool>("plus", [](auto& sum, auto a, auto b) {
    sum.add(+a), sum.add(!a);
    if constexpr (A::width <= 64) sum.add(bool(a)), sum.add(a ? 1 : 2);
  });
  pairs<A, bool>("double",
                 [](auto& sum, auto a, auto b) { sum.add(a.to_double()), sum.add(a.to_float()), sum.add(double(a)); });
  pairs<A, ap_uint<8>>("bits", [](auto& sum, auto a, auto b) {
    const int low = b.to_int() % A::width, high = low + (b.to_int() / 7) % (A::width - low);
    const A c = a;
    sum.add(bool(a[low])), sum.add(bool(c[high])), sum.add(c.get_bit(low - A::width + A::iwidth));
    sum.add(a.range(high, low).get()), sum.add(a(low, high).get()), sum.add(ap_uint<A::width>(a.range()));
    sum.add(a.range(high, low) == b.range(5, 2)), sum.add(a.range(high, low) < 5u), sum.add(7 != a(high, low));
    a.range(high, low) = b, sum.add(a);
    a[low] = b[1], sum.add(a);
    a(low, high) = c, sum.add(a);
    ap_uint<A::width> u = b;
    u.range(high, low) = c.range(high, low), sum.add(u);
    sum.add((a.range(), c(high, low)).get()), sum.add((a(high, low), -5)), sum.add((b, c(high, low)).get()),
        sum.add(ap_int<70>(c[low]));
    sum.add(a.is_neg()), sum.add(a.is_zero()), sum.add(a.length()), sum.add(a.range(high, low).to_int());
    sum.add(a.template lshift<2>()), sum.add(a.template rshift<3>()), sum.add(a.setBits(b.to_uint64() * 77));
  });
}

template <typename T>
void limits() {
  Checksum sum;
  sum.add(hls::numeric_limits<T>::max()), sum.add(hls::numeric_limits<T>::min());
  sum.add(hls::numeric_limits<T>::epsilon());
  const T* type = nullptr;
  sum.report("limits", name_of(type));
}

// What needs a place for the integer part.
template <typename A>
void integers() {
  pairs<A, bool>("integer", [](auto& sum, auto a, auto b) {
    sum.add(a.to_int()), sum.add(a.to_uint()), sum.add(a.to_int64()), sum.add(a.to_uint64()), sum.add(a.to_char());
    sum.add(int(a)), sum.add((unsigned char)(a)), sum.add((long long)(a)), sum.add((short)(a));
    sum.add(ap_int<9>(a)), sum.add(ap_uint<70>(a));
    ap_int<9> i = 100;
    i = a, sum.add(i), i += a, sum.add(i), i *= a, sum.add(i), i ^= a, sum.add(i);
  });
  pairs<A, bool>("increment", [](auto& sum, auto a, auto b) { sum.add(a++), sum.add(++a), sum.add(a); });
  pairs<A, bool>("decrement", [](auto& sum, auto a, auto b) { sum.add(a--), sum.add(--a), sum.add(a); });
}

template <typename A, typename B>
void mixed() {
  arithmetic<A, B>();
  arithmetic<B, A>();
  compound<A, B>();
}

// ---- conversions ----------------------------------------------------------------------------------------------------

constexpr ap_o_mode kOverflow[7] = {AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP, AP_WRAP, AP_WRAP};
constexpr int kModes = 49;

template <int Mode, int W, int I, bool S>
using Target = ap_fixed_base<W, I, S, static_cast<ap_q_mode>(Mode % 7), kOverflow[Mode / 7],
                             (Mode / 7 > 3 ? (Mode / 7 - 3 < W ? Mode / 7 - 3 : W) : 0)>;

template <typename A, typename B>
void convert_all() {
  Checksum sum;
  B source;
  A target;
  for (int i = 0; i < 1 << B::width; ++i) {
    source.V = i;
    target = source;
    ++sum.count;
    sum.word(target.V.to_uint64());
  }
  sum.type = name_of(&target);
  sum.report("convert", name_of(&source), sum.type);
}

// Shapes are dealt out to the pairs of modes in turn. Every pair has all target widths, source widths and signs, and
// seven of the eleven distances between the two points; which of them meet differs, and other rounds deal otherwise.
#ifndef ROUND
#define ROUND 0
#endif
constexpr int kTargetWidths[5] = {1, 2, 3, 4, 6};
constexpr int kSourceWidths[3] = {6, 4, 1};
constexpr int kShapes = 7;
template <int Number>
void convert_shape() {
  constexpr int shape = Number + 443 * ROUND, distance = shape % 11 - 2;
  constexpr int W = kTargetWidths[shape % 5], W2 = kSourceWidths[shape % 3], I = 2;
  using B = ap_fixed_base<W2, W2 - (W - I) - distance, (shape & 2) != 0>;
  convert_all<Target<Number / kShapes, W, I, (shape & 1) != 0>, B>();
}

template <int Mode>
void convert_wide() {
  constexpr int W = 10 + 37 * Mode % 89, I = W / 2 + 11 * Mode % 13 - 6;
  using A = Target<Mode, W, I, (Mode & 2) != 0>;
  using B = std::conditional_t<Mode % 3 == 0, ap_ufixed<40, 13>, ap_fixed<72, 33>>;
  pairs<A, B>("convert", [](auto& sum, auto a, auto b) { sum.add(a = b); });
}

// A number of any size from 2^-103 to 2^40.
template <typename T>
T scaled_random() {
  const double mantissa = static_cast<double>(static_cast<int64_t>(next_random()));
  return static_cast<T>(std::ldexp(mantissa, static_cast<int>(next_random() % 80) - 103));
}
constexpr double kConstants[] = {0.0,  -0.0, 0.5,  -0.5,  1.5,   -1.5,   0.25, -0.25, 0.75,    -0.75, 0.375,
                                 -0.1, 0.1,  1e30, -1e30, 1e-30, -1e-30, 3.0,  -4.0,  7.96875, -8.0,  2.5};

template <int Mode>
void convert_constants() {
  constexpr int W = 3 + Mode * 5 % 61, I = W / 2 + Mode / 4 % 5 * 3 - 6;
  using A = Target<Mode, W, I, (Mode & 4) != 0>;
  Checksum sum;
  random_state = 88172645463325252ull;
  for (double constant : kConstants) sum.add(A(constant)), sum.add(A(static_cast<float>(constant)));
  for (int i = 0; i < 1500; ++i) sum.add(A(scaled_random<double>())), sum.add(A(scaled_random<float>()));
  const A* a = nullptr;
  sum.report("constant", name_of(a));
}

template <typename A>
void compare_constants() {
  Checksum sum;
  random_state = 88172645463325252ull;
  for (int i = 0; i < 2000; ++i) {
    const A a = random_value<A>();
    const double d = i < 22 ? kConstants[i] : i % 3 ? scaled_random<double>() : a.to_double();
    sum.add(a == d), sum.add(a != d), sum.add(a < d), sum.add(a > d), sum.add(a <= d), sum.add(a >= d);
    sum.add(d == a), sum.add(d != a), sum.add(d < a), sum.add(d > a), sum.add(d <= a), sum.add(d >= a);
  }
  const A* a = nullptr;
  sum.report("compare_constants", name_of(a));
}

template <int... Numbers>
void narrow_conversions(std::integer_sequence<int, Numbers...>) {
  (convert_shape<Numbers>(), ...);
}
template <int... Numbers>
void wide_conversions(std::integer_sequence<int, Numbers...>) {
  (convert_wide<2 * Numbers>(), ...);
}
template <int... Numbers>
void constants(std::integer_sequence<int, Numbers...>) {
  (convert_constants<4 * Numbers>(), ...);
}

// ---- operators ------------------------------------------------------------------------------------------------------

#if PART == 2
using Signed = ap_fixed<4, 2, AP_RND, AP_SAT>;
using Unsigned = ap_ufixed<3, -1, AP_TRN_ZERO, AP_WRAP, 1>;
template <typename B>
void with_narrow() {
  arithmetic<Signed, B>();
  compound<Signed, B>();
  arithmetic<Unsigned, B>();
}
template <typename B>
void with_narrow_integer() {
  mixed<Signed, B>();
  arithmetic<B, Unsigned>();
}

template <typename A>
void unary_narrow() {
  unary<A>();
  shifts<A, ap_int<4>>();
  shifts<A, ap_uint<4>>();
  shifts<A, ap_fixed<4, 3>>();
}

void narrow_operators() {
  with_narrow<ap_fixed<4, 2>>();
  with_narrow<ap_ufixed<4, 1>>();
  with_narrow<ap_fixed<3, 5>>();
  with_narrow<ap_ufixed<2, -1>>();
  with_narrow_integer<ap_int<3>>();
  with_narrow_integer<ap_uint<4>>();
  with_narrow_integer<bool>();
  unary_narrow<ap_fixed<4, 2, AP_RND_CONV, AP_SAT_SYM>>();
  unary_narrow<ap_ufixed<4, 6>>();
  unary_narrow<ap_fixed<3, -2>>();
  unary_narrow<ap_fixed<1, 1>>();
  integers<ap_fixed<4, 2, AP_RND_INF, AP_SAT_ZERO>>();
  integers<ap_ufixed<4, 4, AP_TRN, AP_WRAP, 2>>();
  integers<ap_fixed<4, 0, AP_RND, AP_SAT>>();
}
template <typename A>
void unary_wide() {
  unary<A>();
  integers<A>();
  pairs<A, ap_uint<8>>("shift_native", [](auto& sum, auto a, auto b) {
    const int places = b.to_int() % (A::width + 9) - 4;
    sum.add(a << places), sum.add(a >> places), sum.add(a << (long long)(places)), sum.add(a >> (unsigned char)(b));
    sum.add(a <<= places), sum.add(a >>= (short)(places));
  });
}

void wide_operators() {
  using A = ap_fixed<24, 9, AP_RND, AP_SAT>;
  using U = ap_ufixed<33, 8, AP_RND_CONV, AP_SAT>;
  using L = ap_fixed<100, 41, AP_TRN_ZERO, AP_SAT_SYM>;
  mixed<A, ap_fixed<18, 3>>();
  mixed<A, ap_ufixed<18, 18>>();
  arithmetic<L, ap_fixed<64, 20>>();
  compound<L, ap_fixed<64, 20>>();
  arithmetic<U, L>();
  compound<U, L>();
  mixed<A, int>();
  mixed<U, long long>();
  mixed<U, ap_int<12>>();
  unary_wide<A>();
  unary_wide<U>();
  unary_wide<L>();
  compare_constants<A>();
  compare_constants<ap_ufixed<20, -3>>();
  limits<ap_fixed<18, 3, AP_RND, AP_SAT>>();
  limits<ap_ufixed<70, 3>>();
  limits<ap_int<9>>();
  limits<ap_uint<65>>();
  limits<short>();
}
#endif

}  // namespace

int main() {
#if PART == 1
  narrow_conversions(std::make_integer_sequence<int, kShapes * kModes>());
  wide_conversions(std::make_integer_sequence<int, kModes / 2 + 1>());
  constants(std::make_integer_sequence<int, kModes / 4 + 1>());
#else
  narrow_operators();
  wide_operators();
#endif
  return 0;
}
