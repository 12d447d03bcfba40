// ap_fixed<W, I, Q, O, N> and ap_ufixed for the C++-to-SystemVerilog compiler: ap_int's numbers with a binary point.
//
// A number of W bits, I of them before the point, is the integer V times 2^(I - W); I may be negative or above W.
// Every conversion is `quantised` (what lies below the last bit) and then `fitted` (what lies beyond the first one).
// Types and values of results follow Xilinx' open ap_types (docs/rtl.md says where they end). Floating point is for
// constants: it is integer arithmetic on a double's bits, which the compiler folds, or refuses when it cannot.
#pragma once

#include <type_traits>

#include "ap_int.h"

enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP_SM };

template <int W, int I, bool S = true, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
struct ap_fixed_base;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
struct ap_fixed;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
struct ap_ufixed;
template <int W, bool S>
struct af_range_ref;

// The compiler refuses code in which a call of this is left.
extern "C" void rtl_refuse_infinite_constant();

namespace ap_detail {

template <int N>
constexpr ubits<N> low_bits(int count) {
  return count == 0 ? ubits<N>(0) : ones<N>(count);
}

// x / 2^D as an integer.
template <ap_q_mode Q, int D, int R>
constexpr sbits<R> quantised(sbits<R> x) {
  if constexpr (D == 0) {
    return x;
  } else {
    const sbits<R> floor = x >> D;
    const bool negative = x < 0;
    const bool odd = static_cast<bool>(floor & 1);
    const bool half = static_cast<bool>((x >> (D - 1)) & 1);
    const bool rest = (static_cast<ubits<R>>(x) & low_bits<R>(D - 1)) != 0;
    const bool up = Q == AP_RND           ? half
                    : Q == AP_RND_ZERO    ? half && (rest || negative)
                    : Q == AP_RND_MIN_INF ? half && rest
                    : Q == AP_RND_INF     ? half && (rest || !negative)
                    : Q == AP_RND_CONV    ? half && (rest || odd)
                    : Q == AP_TRN_ZERO    ? negative && (half || rest)
                                          : false;
    return floor + static_cast<sbits<R>>(up);
  }
}

// x as a number of W bits (R > W + 1). With AP_WRAP the N highest bits saturate and the others wrap.
template <int W, bool S, ap_o_mode O, int N, int R>
constexpr ubits<W> fitted(sbits<R> x) {
  const ubits<W> wrapped = static_cast<ubits<W>>(x);
  if constexpr (O == AP_WRAP && N == 0) {
    return wrapped;
  } else {
    constexpr sbits<R> largest = static_cast<sbits<R>>(low_bits<R>(W - S));
    constexpr sbits<R> smallest = S ? ~largest | sbits<R>(O == AP_SAT_SYM) : sbits<R>(0);
    if (smallest <= x && x <= largest) return wrapped;
    const ubits<W> limit = static_cast<ubits<W>>(x > largest || (O == AP_WRAP && !S) ? largest : smallest);
    constexpr ubits<W> free = O == AP_WRAP ? low_bits<W>(W - N) : ubits<W>(0);
    return O == AP_SAT_ZERO ? ubits<W>(0) : static_cast<ubits<W>>((wrapped & free) | (limit & ~free));
  }
}

// The bits of a number of W2 bits, F2 of them a fraction, in the format of Target.
template <typename Target, int W2, int F2, bool S2>
constexpr ubits<Target::width> converted(ubits<W2> raw) {
  constexpr int F = Target::width - Target::iwidth;
  constexpr int up = max_of(F - F2, 0);
  constexpr int down = min_of(max_of(F2 - F, 0), W2 + 1);  // nothing but copies of the sign above W2
  constexpr int R = max_of(W2 + up, Target::width) + 2;
  const sbits<R> x = static_cast<sbits<R>>(static_cast<ubits<R>>(extend<R, W2, S2>(raw) << up));
  return fitted<Target::width, Target::is_signed, Target::omode, Target::nbits, R>(
      quantised<Target::qmode, down, R>(x));
}

// Says that a constructor is given bits and not a number.
struct as_bits {};

template <int W, int I, bool S>
using fixed_of = std::conditional_t<S, ap_fixed<W, I>, ap_ufixed<W, I>>;

// What a fixed-point operator sees of its operands. Integers have no fraction.
template <typename T>
struct fixed_operand : operand<T> {
  static constexpr bool is_fixed = false;
  static constexpr int fraction = 0;
  using Base = void;
};
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
struct fixed_operand<ap_fixed_base<W, I, S, Q, O, N>> {
  static constexpr bool is_fixed = true;
  static constexpr int width = W, fraction = W - I;
  static constexpr bool is_signed = S;
  using Base = ap_fixed_base<W, I, S, Q, O, N>;
  static constexpr ubits<W> raw(const Base& value) { return value.V.V; }
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct fixed_operand<ap_fixed<W, I, Q, O, N>> : fixed_operand<ap_fixed_base<W, I, true, Q, O, N>> {};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct fixed_operand<ap_ufixed<W, I, Q, O, N>> : fixed_operand<ap_fixed_base<W, I, false, Q, O, N>> {};

template <typename T>
constexpr bool is_fixed = fixed_operand<T>::is_fixed;
template <typename T>
constexpr bool is_constant = std::is_same_v<T, float> || std::is_same_v<T, double>;
template <typename T>
constexpr bool is_integer =
    operand<T>::is == kind::native || operand<T>::is == kind::integer || operand<T>::is == kind::bit;

template <typename A, typename B>
using if_fixed =
    std::enable_if_t<(is_fixed<A> && (is_fixed<B> || is_integer<B>)) || (is_fixed<B> && is_integer<A>), int>;
template <typename A, typename B>
using if_fixed_comparison = std::enable_if_t<(is_fixed<A> && (is_fixed<B> || is_integer<B> || is_constant<B>)) ||
                                                 (is_fixed<B> && (is_integer<A> || is_constant<A>)),
                                             int>;
template <typename A, typename B>
using if_fixed_shift = std::enable_if_t<is_fixed<A> && (is_fixed<B> || is_operand<B>), int>;
template <typename T>
using if_source = std::enable_if_t<is_fixed<T> || is_operand<T> || is_constant<T>, int>;

// Formats of results (Xilinx' rules).
template <typename A, typename B>
struct fixed_result {
  using X = fixed_operand<A>;
  using Y = fixed_operand<B>;
  static constexpr bool sx = X::is_signed, sy = Y::is_signed, any = sx || sy;
  static constexpr int wx = X::width, ix = wx - X::fraction, iy = Y::width - Y::fraction;
  static constexpr int fraction = max_of(X::fraction, Y::fraction);
  static constexpr int integer = max_of(ix + (sy && !sx), iy + (sx && !sy));
  static constexpr int scale = max_of(Y::fraction, 0);  // of the dividend
  static constexpr int division = max_of(wx + scale + (sy && !sx), Y::width + (sx && !sy));

  using Logic = fixed_of<integer + fraction, integer, any>;
  using Sum = fixed_of<integer + 1 + fraction, integer + 1, any>;
  using Difference = fixed_of<integer + 1 + fraction, integer + 1, true>;
  using Product = fixed_of<wx + Y::width, ix + iy, any>;
  using Quotient = fixed_of<sy + wx + scale, sy + ix + Y::fraction, any>;
};

// The value as bits of Result, which loses nothing.
template <typename Result, typename T>
constexpr ubits<Result::width> aligned(const T& value) {
  using X = fixed_operand<T>;
  constexpr int W = Result::width;
  return extend<W, X::width, X::is_signed>(X::raw(value)) << (W - Result::iwidth - X::fraction);
}

// A constant with two more bits than F of fraction, the last of which is set if anything is left below it, and with
// the highest ones merged: it is rounded and saturated to W bits, and compared with W bits, as the constant itself.
template <int W, int F>
constexpr ap_fixed_base<W + 58, W + 56 - F> of_constant(double value) {
  constexpr int R = W + 58;
  const unsigned long long bits = __builtin_bit_cast(unsigned long long, value);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff);
  if (exponent == 0x7ff) rtl_refuse_infinite_constant();
  const unsigned long long hidden = exponent == 0 ? 0 : 1ull << 52;
  const ubits<R> magnitude = static_cast<ubits<R>>((bits & ((1ull << 52) - 1)) | hidden);
  const ubits<R> mantissa = bits >> 63 ? static_cast<ubits<R>>(ubits<R>(0) - magnitude) : magnitude;
  const int places = max_of(exponent, 1) - 1075 + F + 2;
  const int left = min_of(max_of(places, 0), W + 3), right = min_of(max_of(-places, 0), 54);
  const bool lost = (mantissa & low_bits<R>(right)) != 0;
  const ubits<R> scaled = static_cast<ubits<R>>(static_cast<sbits<R>>(mantissa) >> right) << left;
  return {as_bits{}, static_cast<ubits<R>>(scaled | static_cast<ubits<R>>(lost))};
}

// The bits of any number in the format of Target. One of the same format and modes is copied, even where AP_SAT_SYM
// would change it.
template <typename Target, typename T>
constexpr ubits<Target::width> bits_of(const T& value) {
  using X = fixed_operand<T>;
  if constexpr (is_constant<T>) {
    return bits_of<Target>(of_constant<Target::width, Target::width - Target::iwidth>(value));
  } else if constexpr (std::is_same_v<typename X::Base, Target>) {
    return value.V.V;
  } else {
    return converted<Target, X::width, X::fraction, X::is_signed>(X::raw(value));
  }
}

// The result of a shift keeps its left operand's modes unless a built-in type other than int says how far.
template <typename A, typename B>
constexpr auto shifted(const A& value, const B& amount, bool left) {
  using X = fixed_operand<A>;
  if constexpr (is_fixed<B>) {
    return shifted(value, amount.to_ap_int_base(), left);
  } else {
    constexpr bool keeps = operand<B>::is == kind::integer || std::is_same_v<B, int> || std::is_same_v<B, unsigned>;
    using Plain = ap_fixed_base<X::width, X::width - X::fraction, X::is_signed>;
    using Result = std::conditional_t<keeps, typename X::Base, Plain>;
    return Result(as_bits{}, shift<X::width, X::is_signed>(X::raw(value), shift_of(amount), left));
  }
}

// The two sides of a comparison as integers of Xilinx' widths, which matter when signs are mixed (see `less`).
template <typename Left, typename Right>
struct comparison {
  Left left;
  Right right;
};

template <bool IsLeft, int F, typename T>
constexpr auto side(const T& value) {
  using X = fixed_operand<T>;
  constexpr int up = max_of(F - X::fraction, 0);
  constexpr int W = X::width + up + (IsLeft && up > 0);
  return from_raw<W, X::is_signed>(extend<W, X::width, X::is_signed>(X::raw(value)) << up);
}

template <typename A, typename B>
constexpr auto sides(const A& a, const B& b) {
  using X = fixed_operand<A>;
  using Y = fixed_operand<B>;
  if constexpr (is_constant<A>) {
    static_assert(Y::width <= 53, "Xilinx rounds a number of more than 53 bits before it is compared with a constant");
    return sides(of_constant<Y::width, Y::fraction>(a), b);
  } else if constexpr (is_constant<B>) {
    static_assert(X::width <= 53, "Xilinx rounds a number of more than 53 bits before it is compared with a constant");
    return sides(a, of_constant<X::width, X::fraction>(b));
  } else {
    auto left = side<true, Y::fraction>(a);
    auto right = side<false, X::fraction>(b);
    return comparison<decltype(left), decltype(right)>{left, right};
  }
}

template <int W, bool S>
struct operand<af_range_ref<W, S>> : operand<ap_range_ref<W, S>> {
  static constexpr kind is = kind::fixed_range;
};

}  // namespace ap_detail

#define RTL_NEEDS_INTEGER_PART                                                                            \
  __attribute__((diagnose_if(I < 0,                                                                       \
                             "the integer part of a number with I < 0 is undefined in Xilinx' ap_types; " \
                             "convert to an ap_fixed with I > 0",                                         \
                             "error")))

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
struct ap_fixed_base {
  static_assert(W >= 1, "ap_fixed needs at least one bit");
  static_assert(O != AP_WRAP_SM, "AP_WRAP_SM is not supported");
  static_assert(0 <= N && N <= W, "N, the number of saturated bits, is at most W");
  static constexpr int width = W, iwidth = I, nbits = N;
  static constexpr bool is_signed = S;
  static constexpr ap_q_mode qmode = Q;
  static constexpr ap_o_mode omode = O;

  ap_detail::int_of<W, S> V;

  ap_fixed_base() = default;
  constexpr ap_fixed_base(const ap_fixed_base& other) : V(other.V) {}
  constexpr ap_fixed_base(ap_detail::as_bits, ap_detail::ubits<W> bits) : V(ap_detail::from_raw<W, S>(bits)) {}
  template <typename T, ap_detail::if_source<T> = 0>
  constexpr ap_fixed_base(const T& value)
      : ap_fixed_base(ap_detail::as_bits{}, ap_detail::bits_of<ap_fixed_base>(value)) {}
  constexpr ap_fixed_base& operator=(const ap_fixed_base& other) {
    V = other.V;
    return *this;
  }
  constexpr ap_fixed_base& setBits(unsigned long long bits) {
    V = bits;
    return *this;
  }

  // The integer part, rounded towards zero. As in Xilinx' ap_types a negative number with I = 0 has -1.
  RTL_NEEDS_INTEGER_PART constexpr auto to_ap_int_base() const {
    using namespace ap_detail;
    using Integer = ubits<max_of(I, 1)>;
    constexpr int fraction = max_of(W - I, 0);
    const Integer floor = fraction < W ? static_cast<Integer>(V.V >> (fraction % W)) : Integer(0);
    const bool up = is_neg() && (V.V & low_bits<W>(min_of(fraction, W))) != 0;
    return from_raw<max_of(I, 1), S>(static_cast<Integer>((floor << max_of(I - W, 0)) + static_cast<Integer>(up)));
  }
  RTL_NEEDS_INTEGER_PART constexpr char to_char() const { return to_ap_int_base().to_char(); }
  RTL_NEEDS_INTEGER_PART constexpr int to_int() const { return to_ap_int_base().to_int(); }
  RTL_NEEDS_INTEGER_PART constexpr unsigned to_uint() const { return to_ap_int_base().to_uint(); }
  RTL_NEEDS_INTEGER_PART constexpr long long to_int64() const { return to_ap_int_base().to_int64(); }
  RTL_NEEDS_INTEGER_PART constexpr unsigned long long to_uint64() const { return to_ap_int_base().to_uint64(); }
  constexpr double to_double() const {
    static_assert(-1000 < I - W && I - W < 1000, "a double cannot hold the number");
    constexpr unsigned long long scale = static_cast<unsigned long long>(1023 + I - W) << 52;
    return static_cast<double>(exact()) * __builtin_bit_cast(double, scale);
  }
  constexpr float to_float() const {
    static_assert(-100 < I - W && I - W < 100, "a float cannot hold the number");
    constexpr unsigned scale = static_cast<unsigned>(127 + I - W) << 23;
    return static_cast<float>(exact()) * __builtin_bit_cast(float, scale);
  }
  __attribute__((unavailable("text has no hardware"))) const char* to_string(int radix = 2) const;

  template <int W2>
  RTL_NEEDS_INTEGER_PART constexpr operator ap_int<W2>() const {
    return to_ap_int_base();
  }
  template <int W2>
  RTL_NEEDS_INTEGER_PART constexpr operator ap_uint<W2>() const {
    return to_ap_int_base();
  }
  template <typename T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  RTL_NEEDS_INTEGER_PART constexpr operator T() const {
    return static_cast<T>(to_int64());
  }
  __attribute__((diagnose_if(W > 64, "ap_types' simulation looks at the 64 lowest bits only; compare with 0",
                             "error"))) constexpr
  operator bool() const {
    return V.V != 0;
  }
  constexpr operator double() const { return to_double(); }
  constexpr operator float() const { return to_float(); }

  constexpr bool operator!() const { return V.V == 0; }
  constexpr ap_fixed_base operator+() const { return *this; }
  constexpr ap_fixed_base<W + 1, I + 1> operator-() const {
    using Bits = ap_detail::ubits<W + 1>;
    return {ap_detail::as_bits{}, static_cast<Bits>(Bits(0) - ap_detail::extend<W + 1, W, S>(V.V))};
  }
  constexpr ap_fixed_base<W, I, S> operator~() const {
    return {ap_detail::as_bits{}, static_cast<ap_detail::ubits<W>>(~V.V)};
  }
  constexpr ap_fixed_base& operator++() { return *this += one(); }
  constexpr ap_fixed_base& operator--() { return *this -= one(); }
  constexpr const ap_fixed_base operator++(int) {
    const ap_fixed_base before = *this;
    ++*this;
    return before;
  }
  constexpr const ap_fixed_base operator--(int) {
    const ap_fixed_base before = *this;
    --*this;
    return before;
  }
  template <typename T>
  constexpr ap_fixed_base& operator+=(const T& value) {
    return *this = *this + value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator-=(const T& value) {
    return *this = *this - value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator*=(const T& value) {
    return *this = *this * value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator/=(const T& value) {
    return *this = *this / value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator&=(const T& value) {
    return *this = *this & value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator|=(const T& value) {
    return *this = *this | value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator^=(const T& value) {
    return *this = *this ^ value;
  }
  template <typename T>
  constexpr ap_fixed_base& operator<<=(const T& value) {
    V = (*this << value).V;
    return *this;
  }
  template <typename T>
  constexpr ap_fixed_base& operator>>=(const T& value) {
    V = (*this >> value).V;
    return *this;
  }
  // The same bits with the point elsewhere.
  template <int Places>
  constexpr ap_fixed_base<W, I + Places, S> lshift() const {
    return {ap_detail::as_bits{}, V.V};
  }
  template <int Places>
  constexpr ap_fixed_base<W, I - Places, S> rshift() const {
    return {ap_detail::as_bits{}, V.V};
  }

  constexpr ap_bit_ref<W, S> operator[](int index) { return {V, index}; }
  constexpr bool operator[](int index) const { return V.get_bit(index); }
  constexpr ap_bit_ref<W, S> bit(int index) { return {V, index}; }
  constexpr bool bit(int index) const { return V.get_bit(index); }
  constexpr bool get_bit(int place) const { return V.get_bit(place + W - I); }  // counted from the point
  constexpr af_range_ref<W, S> range(int high, int low) const {
    return {const_cast<ap_detail::int_of<W, S>&>(V), high, low};
  }
  constexpr af_range_ref<W, S> range() const { return range(W - 1, 0); }
  constexpr af_range_ref<W, S> operator()(int high, int low) const { return range(high, low); }

  constexpr int length() const { return W; }
  constexpr int wl() const { return W; }
  constexpr int iwl() const { return I; }
  constexpr ap_q_mode q_mode() const { return Q; }
  constexpr ap_o_mode o_mode() const { return O; }
  constexpr int n_bits() const { return N; }
  constexpr bool is_zero() const { return V.V == 0; }
  constexpr bool is_neg() const { return V.sign(); }
  constexpr int countLeadingZeros() const { return V.countLeadingZeros(); }

 private:
  constexpr ap_detail::sbits<W + 1> exact() const {
    return static_cast<ap_detail::sbits<W + 1>>(ap_detail::extend<W + 1, W, S>(V.V));
  }
  static constexpr auto one() {
    static_assert(W >= I, "the number has no place for a one");
    return ap_fixed_base<W - I + 1, 1, false>(1);
  }
};

#undef RTL_NEEDS_INTEGER_PART

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct ap_fixed : ap_fixed_base<W, I, true, Q, O, N> {
  using Base = ap_fixed_base<W, I, true, Q, O, N>;
  ap_fixed() = default;
  constexpr ap_fixed(const ap_fixed& other) : Base(other) {}
  constexpr ap_fixed(ap_detail::as_bits, ap_detail::ubits<W> bits) : Base(ap_detail::as_bits{}, bits) {}
  template <typename T, ap_detail::if_source<T> = 0>
  constexpr ap_fixed(const T& value) : Base(value) {}
  constexpr ap_fixed& operator=(const ap_fixed& other) {
    this->V = other.V;
    return *this;
  }
};

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct ap_ufixed : ap_fixed_base<W, I, false, Q, O, N> {
  using Base = ap_fixed_base<W, I, false, Q, O, N>;
  ap_ufixed() = default;
  constexpr ap_ufixed(const ap_ufixed& other) : Base(other) {}
  constexpr ap_ufixed(ap_detail::as_bits, ap_detail::ubits<W> bits) : Base(ap_detail::as_bits{}, bits) {}
  template <typename T, ap_detail::if_source<T> = 0>
  constexpr ap_ufixed(const T& value) : Base(value) {}
  constexpr ap_ufixed& operator=(const ap_ufixed& other) {
    this->V = other.V;
    return *this;
  }
};

// Bits of a fixed-point number. Arithmetic on them is refused (Xilinx' has 64 bits); an ap_uint takes them.
template <int W, bool S>
struct af_range_ref : ap_range_ref<W, S> {
  using ap_range_ref<W, S>::ap_range_ref;
  using ap_range_ref<W, S>::operator=;

  explicit constexpr operator unsigned long long() const { return this->to_uint64(); }
  constexpr const af_range_ref& operator=(const af_range_ref& value) const {
    this->set_raw(value.raw());
    return *this;
  }
  template <int W2, int I2, bool S2, ap_q_mode Q2, ap_o_mode O2, int N2>
  constexpr const af_range_ref& operator=(const ap_fixed_base<W2, I2, S2, Q2, O2, N2>& value) const {
    this->set_raw(ap_detail::extend<W, W2, S2>(value.V.V));
    return *this;
  }
};

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator+(const A& a, const B& b) {
  using R = typename ap_detail::fixed_result<A, B>::Sum;
  return R(ap_detail::as_bits{}, ap_detail::aligned<R>(a) + ap_detail::aligned<R>(b));
}

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator-(const A& a, const B& b) {
  using R = typename ap_detail::fixed_result<A, B>::Difference;
  return R(ap_detail::as_bits{}, ap_detail::aligned<R>(a) - ap_detail::aligned<R>(b));
}

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator*(const A& a, const B& b) {
  using namespace ap_detail;
  using F = fixed_result<A, B>;
  using R = typename F::Product;
  return R(as_bits{},
           extend<R::width, F::wx, F::sx>(F::X::raw(a)) * extend<R::width, F::Y::width, F::sy>(F::Y::raw(b)));
}

// Rounds towards zero. The most negative number divided by the smallest negative one wraps, and a built-in dividend's
// quotient becomes of the type that the reciprocal has, as in Xilinx' ap_types.
template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator/(const A& a, const B& b) {
  using namespace ap_detail;
  using F = fixed_result<A, B>;
  using R = typename F::Quotient;
  constexpr int W = F::division;
  const auto dividend = from_raw<W, F::sx>(extend<W, F::wx, F::sx>(F::X::raw(a)) << F::scale);
  const auto divisor = from_raw<W, F::sy>(extend<W, F::Y::width, F::sy>(F::Y::raw(b)));
  const R quotient(as_bits{}, extend<R::width, W, F::any>(divided<W, false>(dividend, divisor)));
  if constexpr (operand<A>::is == kind::native) {
    return typename fixed_result<B, A>::Quotient(quotient);
  } else {
    return quotient;
  }
}

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator&(const A& a, const B& b) {
  using R = typename ap_detail::fixed_result<A, B>::Logic;
  return R(ap_detail::as_bits{}, ap_detail::aligned<R>(a) & ap_detail::aligned<R>(b));
}

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator|(const A& a, const B& b) {
  using R = typename ap_detail::fixed_result<A, B>::Logic;
  return R(ap_detail::as_bits{}, ap_detail::aligned<R>(a) | ap_detail::aligned<R>(b));
}

template <typename A, typename B, ap_detail::if_fixed<A, B> = 0>
constexpr auto operator^(const A& a, const B& b) {
  using R = typename ap_detail::fixed_result<A, B>::Logic;
  return R(ap_detail::as_bits{}, ap_detail::aligned<R>(a) ^ ap_detail::aligned<R>(b));
}

// Shifts move bits: they neither round nor saturate.
template <typename A, typename B, ap_detail::if_fixed_shift<A, B> = 0>
constexpr auto operator<<(const A& a, const B& b) {
  return ap_detail::shifted(a, b, true);
}
template <typename A, typename B, ap_detail::if_fixed_shift<A, B> = 0>
constexpr auto operator>>(const A& a, const B& b) {
  return ap_detail::shifted(a, b, false);
}

template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator==(const A& a, const B& b) {
  const auto both = ap_detail::sides(a, b);
  return ap_detail::equal(both.left, both.right);
}
template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator!=(const A& a, const B& b) {
  return !(a == b);
}
template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator<(const A& a, const B& b) {
  const auto both = ap_detail::sides(a, b);
  return ap_detail::less(both.left, both.right);
}
template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator>(const A& a, const B& b) {
  const auto both = ap_detail::sides(a, b);
  return ap_detail::less(both.right, both.left);
}
template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator<=(const A& a, const B& b) {
  return !(a > b);
}
template <typename A, typename B, ap_detail::if_fixed_comparison<A, B> = 0>
constexpr bool operator>=(const A& a, const B& b) {
  return !(a < b);
}

// An ap_int takes the integer part.
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator+=(ap_int_base<W, S>& number, const T& value) {
  return number += value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator-=(ap_int_base<W, S>& number, const T& value) {
  return number -= value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator*=(ap_int_base<W, S>& number, const T& value) {
  return number *= value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator/=(ap_int_base<W, S>& number, const T& value) {
  return number /= value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator&=(ap_int_base<W, S>& number, const T& value) {
  return number &= value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator|=(ap_int_base<W, S>& number, const T& value) {
  return number |= value.to_ap_int_base();
}
template <int W, bool S, typename T, std::enable_if_t<ap_detail::is_fixed<T>, int> = 0>
constexpr ap_int_base<W, S>& operator^=(ap_int_base<W, S>& number, const T& value) {
  return number ^= value.to_ap_int_base();
}

// How hls_stream.h sends the numbers: as their bits.
namespace rtl {

struct plain;
template <typename T, typename>
struct transport;

template <typename T>
struct fixed_transport {
  static constexpr int bits = T::width;
  using Sides = plain;
  using Word = unsigned _BitInt(T::width);
  static Word pack(const T& value) { return value.V.V; }
  static void unpack(Word word, T& value) { value.V.V = word; }
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct transport<ap_fixed<W, I, Q, O, N>, void> : fixed_transport<ap_fixed<W, I, Q, O, N>> {};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct transport<ap_ufixed<W, I, Q, O, N>, void> : fixed_transport<ap_ufixed<W, I, Q, O, N>> {};

}  // namespace rtl
