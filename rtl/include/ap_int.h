// ap_int<W> and ap_uint<W> for the C++-to-SystemVerilog compiler, over clang's _BitInt.
//
// The compiler's clang sees true W-bit integers this way. Widths and values of every operator follow Xilinx' open
// ap_types (docs/rtl.md lists them); what hardware cannot do (floating point, strings) is refused with a message.
// Only rtl/ puts this header on an include path. Vitis and C-simulation use their own.
#pragma once

#include <type_traits>

template <int W, bool S>
struct ap_int_base;
template <int W>
struct ap_int;
template <int W>
struct ap_uint;
template <int W, bool S>
struct ap_range_ref;
template <int W, bool S>
struct ap_bit_ref;
template <typename High, typename Low>
struct ap_concat_ref;

namespace ap_detail {

template <int N>
using ubits = unsigned _BitInt(N);

// A signed _BitInt needs two bits; one-bit numbers are sign-extended by hand.
template <int N>
using sbits = signed _BitInt(N < 2 ? 2 : N);

template <int W, bool S>
using int_of = std::conditional_t<S, ap_int<W>, ap_uint<W>>;

constexpr int max_of(int a, int b) { return a > b ? a : b; }
constexpr int min_of(int a, int b) { return a < b ? a : b; }

// `length` ones at the low end of N bits.
template <int N>
constexpr ubits<N> ones(int length) {
  return static_cast<ubits<N>>(~ubits<N>(0)) >> (N - length);
}

template <int N>
constexpr ubits<N> reversed(ubits<N> bits) {
  return __builtin_elementwise_bitreverse(bits);
}

// The W low bits of `raw` as a number of R bits.
template <int R, int W, bool S>
constexpr ubits<R> extend(ubits<W> raw) {
  if constexpr (!S) {
    return static_cast<ubits<R>>(raw);
  } else if constexpr (W == 1) {
    return raw ? static_cast<ubits<R>>(~ubits<R>(0)) : ubits<R>(0);
  } else {
    return static_cast<ubits<R>>(static_cast<sbits<W>>(raw));
  }
}

template <int W>
constexpr ubits<W> shifted_left(ubits<W> raw, unsigned amount) {
  return amount >= static_cast<unsigned>(W) ? ubits<W>(0) : static_cast<ubits<W>>(raw << amount);
}

template <int W, bool S>
constexpr ubits<W> shifted_right(ubits<W> raw, unsigned amount) {
  if constexpr (!S) {
    return amount >= static_cast<unsigned>(W) ? ubits<W>(0) : static_cast<ubits<W>>(raw >> amount);
  } else if constexpr (W == 1) {
    return raw;
  } else {
    const unsigned bounded = amount >= static_cast<unsigned>(W) ? W - 1 : amount;
    return static_cast<ubits<W>>(static_cast<sbits<W>>(raw) >> bounded);
  }
}

// What an operand of an operator is worth: its width, its sign and its bits.
enum class kind { none, native, integer, range, bit, concat, fixed_range };

template <typename T, typename = void>
struct operand {
  static constexpr kind is = kind::none;
  static constexpr int width = 1;
  static constexpr bool is_signed = false;
};

template <typename T>
struct operand<T, std::enable_if_t<std::is_integral_v<T>>> {
  static constexpr kind is = kind::native;
  static constexpr int width = std::is_same_v<T, bool> ? 1 : 8 * static_cast<int>(sizeof(T));
  static constexpr bool is_signed = std::is_signed_v<T>;
  static constexpr ubits<width> raw(T value) { return static_cast<ubits<width>>(value); }
  static constexpr int length(T) { return width; }
};

template <int W, bool S>
struct operand<ap_int_base<W, S>> {
  static constexpr kind is = kind::integer;
  static constexpr int width = W;
  static constexpr bool is_signed = S;
  static constexpr ubits<W> raw(const ap_int_base<W, S>& value) { return value.V; }
  static constexpr int length(const ap_int_base<W, S>&) { return W; }
};
template <int W>
struct operand<ap_int<W>> : operand<ap_int_base<W, true>> {};
template <int W>
struct operand<ap_uint<W>> : operand<ap_int_base<W, false>> {};

template <int W, bool S>
struct operand<ap_range_ref<W, S>> {
  static constexpr kind is = kind::range;
  static constexpr int width = W;
  static constexpr bool is_signed = false;
  static constexpr ubits<W> raw(const ap_range_ref<W, S>& value) { return value.raw(); }
  static constexpr int length(const ap_range_ref<W, S>& value) { return value.length(); }
};

template <int W, bool S>
struct operand<ap_bit_ref<W, S>> {
  static constexpr kind is = kind::bit;
  static constexpr int width = 1;
  static constexpr bool is_signed = false;
  static constexpr ubits<1> raw(const ap_bit_ref<W, S>& value) { return value.to_bool(); }
  static constexpr int length(const ap_bit_ref<W, S>&) { return 1; }
};

template <typename High, typename Low>
struct operand<ap_concat_ref<High, Low>> {
  static constexpr kind is = kind::concat;
  static constexpr int width = ap_concat_ref<High, Low>::width;
  static constexpr bool is_signed = false;
  static constexpr ubits<width> raw(const ap_concat_ref<High, Low>& value) { return value.raw(); }
  static constexpr int length(const ap_concat_ref<High, Low>& value) { return value.length(); }
};

template <typename T>
constexpr bool is_operand = operand<T>::is != kind::none;

template <typename A, typename B>
constexpr bool either(kind wanted) {
  return operand<A>::is == wanted || operand<B>::is == wanted;
}

// A bit next to a built-in integer or another bit is a bool, by C++'s own rules, and a concatenation next to anything
// else is an unsigned long long.
template <typename A, typename B>
constexpr bool has_operator = is_operand<A> && is_operand<B> && !either<A, B>(kind::fixed_range) &&
                              (either<A, B>(kind::concat) ? operand<A>::is == operand<B>::is
                                                          : either<A, B>(kind::integer) || either<A, B>(kind::range));

// A range or a concatenation is an unsigned long long when it stands to the right of a built-in integer.
template <typename A, typename B>
constexpr bool has_comparison =
    is_operand<A> && is_operand<B> &&
    (either<A, B>(kind::fixed_range)
         ? !(either<A, B>(kind::integer) || either<A, B>(kind::bit) || either<A, B>(kind::concat))
         : either<A, B>(kind::integer) || operand<A>::is == kind::concat ||
               (operand<A>::is == kind::range && operand<B>::is != kind::concat));

template <typename A, typename B>
constexpr bool has_concatenation =
    is_operand<A> && is_operand<B> && !(operand<A>::is == kind::native && operand<B>::is == kind::native);

template <typename A, typename B>
constexpr bool has_shift =
    is_operand<A> && is_operand<B> && operand<A>::is != kind::native && operand<A>::is != kind::fixed_range &&
    (operand<A>::is != kind::bit || operand<B>::is == kind::integer) && operand<B>::is != kind::bit &&
    operand<B>::is != kind::concat;

template <typename A, typename B>
using if_operator = std::enable_if_t<has_operator<A, B>, int>;
template <typename A, typename B>
using if_comparison = std::enable_if_t<has_comparison<A, B>, int>;

template <int R, typename T>
constexpr ubits<R> extended(const T& value) {
  return extend<R, operand<T>::width, operand<T>::is_signed>(operand<T>::raw(value));
}

template <int W, bool S>
constexpr int_of<W, S> from_raw(ubits<W> raw) {
  int_of<W, S> result(0);
  result.V = raw;
  return result;
}

// Widths and signs of results (Xilinx' rules).
template <int WA, bool SA, int WB, bool SB>
struct widths {
  static constexpr int wa = WA, wb = WB;
  static constexpr bool sa = SA, sb = SB;
  static constexpr bool any = sa || sb;
  static constexpr int logic = max_of(wa + (sb && !sa), wb + (sa && !sb));
  static constexpr int sum = logic + 1;
  static constexpr int product = wa + wb;
  static constexpr int quotient = wa + sb;
  static constexpr int remainder = min_of(wa, wb + (!sb && sa));
};

template <typename A, typename B>
using result = widths<operand<A>::width, operand<A>::is_signed, operand<B>::width, operand<B>::is_signed>;

// What the operator is declared to return, where that differs from what it computes: next to a number, a range counts
// as signed when its number is, and a built-in left operand counts as the right one.
template <typename T>
struct declared_sign {
  static constexpr bool value = operand<T>::is_signed;
};
template <int W, bool S>
struct declared_sign<ap_range_ref<W, S>> {
  static constexpr bool value = S;
};
template <typename A, typename B>
using with_number = widths<operand<A>::width, declared_sign<A>::value, operand<B>::width, declared_sign<B>::value>;
template <typename A, typename B>
using declared = std::conditional_t<operand<A>::is == kind::native && operand<B>::is == kind::integer, result<B, A>,
                                    std::conditional_t<either<A, B>(kind::integer), with_number<A, B>, result<A, B>>>;

// The result `raw` of W bits and sign S as the declared type.
template <int DW, bool DS, int W, bool S>
constexpr int_of<DW, DS> as_declared(ubits<W> raw) {
  return from_raw<DW, DS>(extend<DW, W, S>(raw));
}

// How far and which way a shift goes.
struct shift_amount {
  bool backward;
  unsigned places;
};

template <typename T>
constexpr shift_amount shift_of(const T& value) {
  using Operand = operand<T>;
  constexpr int W = Operand::width;
  const ubits<W> raw = Operand::raw(value);
  if constexpr (Operand::is_signed) {
    const bool negative = (raw >> (W - 1)) & 1;
    const ubits<W> places = negative ? static_cast<ubits<W>>(ubits<W>(0) - raw) : raw;
    return {negative, static_cast<unsigned>(places)};
  } else {
    return {false, static_cast<unsigned>(raw)};
  }
}

template <int W, bool S>
constexpr ubits<W> shift(ubits<W> raw, shift_amount by, bool left) {
  return by.backward == left ? shifted_right<W, S>(raw, by.places) : shifted_left<W>(raw, by.places);
}

// Mixed signs compare as C's usual conversions would have it, and exactly where both are narrower than int.
template <typename A, typename B>
constexpr bool less(const A& a, const B& b) {
  using R = result<A, B>;
  constexpr int W = max_of(R::wa, R::wb) + R::any;
  constexpr bool exact = R::wa < 32 && R::wb < 32;
  constexpr bool as_signed = R::sa == R::sb ? R::sa : exact || (R::sa ? R::wa > R::wb : R::wb > R::wa);
  if constexpr (as_signed) {
    return static_cast<sbits<W>>(extended<W>(a)) < static_cast<sbits<W>>(extended<W>(b));
  } else {
    return extended<W>(a) < extended<W>(b);
  }
}

template <typename A, typename B>
constexpr bool equal(const A& a, const B& b) {
  using R = result<A, B>;
  // Numbers of one width and different signs compare exactly, others as C's usual conversions would have it.
  constexpr bool exact = R::wa == R::wb && R::sa != R::sb && R::wa < 64;
  constexpr int W = exact ? 64 : max_of(max_of(R::wa, R::wb), 32);
  return extended<W>(a) == extended<W>(b);
}

}  // namespace ap_detail

// The compiler refuses code in which a call of this is left.
extern "C" void rtl_refuse_mixed_sign_division();

namespace ap_detail {

// Division and remainder at a width that holds both operands exactly. Xilinx' simulation and Vitis' hardware do not
// agree on a negative operand next to an unsigned one.
template <int R, bool Remainder, typename A, typename B>
constexpr ubits<R> divided(const A& a, const B& b) {
  constexpr bool sa = operand<A>::is_signed, sb = operand<B>::is_signed;
  constexpr int W = max_of(operand<A>::width, operand<B>::width) + 1;
  if constexpr (sa || sb) {
    const sbits<W> x = static_cast<sbits<W>>(extended<W>(a)), y = static_cast<sbits<W>>(extended<W>(b));
    if (sa != sb && (sa ? x < 0 : y < 0)) rtl_refuse_mixed_sign_division();
    return static_cast<ubits<R>>(Remainder ? x % y : x / y);
  } else {
    const ubits<W> x = extended<W>(a), y = extended<W>(b);
    return static_cast<ubits<R>>(Remainder ? x % y : x / y);
  }
}

}  // namespace ap_detail

template <int W, bool S>
struct ap_int_base {
  static_assert(W >= 1, "ap_int needs at least one bit");
  static constexpr int width = W;
  using Retained = std::conditional_t<S, long long, unsigned long long>;

  ap_detail::ubits<W> V;

  ap_int_base() = default;
  constexpr ap_int_base(const ap_int_base& other) : V(other.V) {}
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base(const T& value) : V(ap_detail::extended<W>(value)) {}
  constexpr ap_int_base& operator=(const ap_int_base& other) {
    V = other.V;
    return *this;
  }

  constexpr operator Retained() const { return static_cast<Retained>(ap_detail::extend<64, W, S>(V)); }
  constexpr bool operator!() const { return V == 0; }
  constexpr ap_detail::int_of<W, S> operator+() const { return ap_detail::from_raw<W, S>(V); }
  constexpr auto operator-() const { return false - *this; }
  constexpr ap_detail::int_of<W, S> operator~() const {
    return ap_detail::from_raw<W, S>(static_cast<ap_detail::ubits<W>>(~V));
  }

  constexpr ap_int_base& operator++() { return *this = *this + true; }
  constexpr ap_int_base& operator--() { return *this = *this - true; }
  constexpr ap_detail::int_of<W, S> operator++(int) {
    const ap_int_base before = *this;
    ++*this;
    return before;
  }
  constexpr ap_detail::int_of<W, S> operator--(int) {
    const ap_int_base before = *this;
    --*this;
    return before;
  }

  constexpr ap_range_ref<W, S> range(int high, int low) const { return {const_cast<ap_int_base&>(*this), high, low}; }
  constexpr ap_range_ref<W, S> range() const { return range(W - 1, 0); }
  constexpr ap_range_ref<W, S> operator()(int high, int low) const { return range(high, low); }

  constexpr ap_bit_ref<W, S> operator[](int index) { return {*this, index}; }
  constexpr bool operator[](int index) const { return get_bit(index); }
  template <int W2, bool S2>
  constexpr ap_bit_ref<W, S> operator[](const ap_int_base<W2, S2>& index) {
    return {*this, index.to_int()};
  }
  template <int W2, bool S2>
  constexpr bool operator[](const ap_int_base<W2, S2>& index) const {
    return get_bit(index.to_int());
  }
  constexpr ap_bit_ref<W, S> bit(int index) { return {*this, index}; }
  constexpr bool bit(int index) const { return get_bit(index); }
  constexpr bool get_bit(int index) const { return static_cast<bool>((V >> index) & 1); }
  constexpr bool test(int index) const { return get_bit(index); }
  constexpr void set_bit(int index, bool value) {
    const ap_detail::ubits<W> one = 1;
    V = (V & ~(one << index)) | (static_cast<ap_detail::ubits<W>>(value) << index);
  }
  constexpr void set(int index) { set_bit(index, true); }
  constexpr void set(int index, bool value) { set_bit(index, value); }
  constexpr void clear(int index) { set_bit(index, false); }
  constexpr void invert(int index) { set_bit(index, !get_bit(index)); }
  constexpr void b_not() { V = ~V; }
  constexpr ap_int_base& reverse() {
    V = ap_detail::reversed<W>(V);
    return *this;
  }
  constexpr ap_int_base& lrotate(int places) {
    V = ap_detail::shifted_left<W>(V, places) | ap_detail::shifted_right<W, false>(V, W - places);
    return *this;
  }
  constexpr ap_int_base& rrotate(int places) { return lrotate(W - places); }

  constexpr int length() const { return W; }
  constexpr bool sign() const { return S && get_bit(W - 1); }
  constexpr bool iszero() const { return V == 0; }
  constexpr bool is_zero() const { return V == 0; }
  constexpr bool and_reduce() const { return V == static_cast<ap_detail::ubits<W>>(~ap_detail::ubits<W>(0)); }
  constexpr bool nand_reduce() const { return !and_reduce(); }
  constexpr bool or_reduce() const { return V != 0; }
  constexpr bool nor_reduce() const { return V == 0; }
  constexpr bool xor_reduce() const {
    static_assert(!S, "Xilinx' xor_reduce counts the sign of a signed number more than once; convert to ap_uint");
    return __builtin_popcountg(V) & 1;
  }
  constexpr bool xnor_reduce() const { return !xor_reduce(); }
  constexpr int countLeadingZeros() const { return __builtin_clzg(V, W); }

  constexpr bool to_bool() const { return V != 0; }
  constexpr char to_char() const { return static_cast<char>(ap_detail::extend<8, W, S>(V)); }
  constexpr signed char to_schar() const { return static_cast<signed char>(ap_detail::extend<8, W, S>(V)); }
  constexpr unsigned char to_uchar() const { return static_cast<unsigned char>(ap_detail::extend<8, W, S>(V)); }
  constexpr short to_short() const { return static_cast<short>(ap_detail::extend<16, W, S>(V)); }
  constexpr unsigned short to_ushort() const { return static_cast<unsigned short>(ap_detail::extend<16, W, S>(V)); }
  constexpr int to_int() const { return static_cast<int>(ap_detail::extend<32, W, S>(V)); }
  constexpr unsigned to_uint() const { return static_cast<unsigned>(ap_detail::extend<32, W, S>(V)); }
  constexpr long to_long() const { return static_cast<long>(ap_detail::extend<64, W, S>(V)); }
  constexpr unsigned long to_ulong() const { return static_cast<unsigned long>(ap_detail::extend<64, W, S>(V)); }
  constexpr long long to_int64() const { return static_cast<long long>(ap_detail::extend<64, W, S>(V)); }
  constexpr unsigned long long to_uint64() const {
    return static_cast<unsigned long long>(ap_detail::extend<64, W, S>(V));
  }
  __attribute__((unavailable("floating point has no hardware here"))) double to_double() const;
  __attribute__((unavailable("floating point has no hardware here"))) float to_float() const;
  __attribute__((unavailable("text has no hardware"))) const char* to_string(int radix = 2) const;

  template <typename T>
  constexpr auto concat(const T& low) const {
    return *this, low;
  }

  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator+=(const T& value) {
    return *this = *this + value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator-=(const T& value) {
    return *this = *this - value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator*=(const T& value) {
    return *this = *this * value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator/=(const T& value) {
    return *this = *this / value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator%=(const T& value) {
    return *this = *this % value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator&=(const T& value) {
    return *this = *this & value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator|=(const T& value) {
    return *this = *this | value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator^=(const T& value) {
    return *this = *this ^ value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator<<=(const T& value) {
    return *this = *this << value;
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int_base& operator>>=(const T& value) {
    return *this = *this >> value;
  }
};

template <int W>
struct ap_int : ap_int_base<W, true> {
  ap_int() = default;
  constexpr ap_int(const ap_int& other) : ap_int_base<W, true>(other) {}
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_int(const T& value) : ap_int_base<W, true>(value) {}
  constexpr ap_int& operator=(const ap_int& other) {
    this->V = other.V;
    return *this;
  }
};

template <int W>
struct ap_uint : ap_int_base<W, false> {
  ap_uint() = default;
  constexpr ap_uint(const ap_uint& other) : ap_int_base<W, false>(other) {}
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr ap_uint(const T& value) : ap_int_base<W, false>(value) {}
  constexpr ap_uint& operator=(const ap_uint& other) {
    this->V = other.V;
    return *this;
  }
};

// Bits `high` to `low` of a number; with high < low the bits in reverse order.
template <int W, bool S>
struct ap_range_ref {
  ap_int_base<W, S>& number;
  int high;
  int low;

  constexpr ap_range_ref(ap_int_base<W, S>& of, int h, int l) : number(of), high(h), low(l) {}
  constexpr ap_range_ref(const ap_range_ref&) = default;

  constexpr int length() const { return high >= low ? high - low + 1 : low - high + 1; }
  constexpr ap_detail::ubits<W> raw() const {
    const ap_detail::ubits<W> mask = ap_detail::ones<W>(length());
    if (high >= low) return (number.V >> low) & mask;
    return (ap_detail::reversed<W>(number.V) >> (W - 1 - low)) & mask;
  }
  constexpr void set_raw(ap_detail::ubits<W> bits) const {
    const ap_detail::ubits<W> mask = ap_detail::ones<W>(length());
    if (high >= low) {
      number.V = (number.V & ~(mask << low)) | ((bits & mask) << low);
    } else {
      const ap_detail::ubits<W> placed = ap_detail::reversed<W>(bits) >> (W - 1 - low);
      number.V = (number.V & ~(mask << high)) | (placed & (mask << high));
    }
  }
  constexpr ap_uint<W> get() const { return ap_detail::from_raw<W, false>(raw()); }
  constexpr operator unsigned long long() const { return to_uint64(); }

  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr const ap_range_ref& operator=(const T& value) const {
    set_raw(ap_detail::extended<W>(value));
    return *this;
  }
  constexpr const ap_range_ref& operator=(const ap_range_ref& value) const {
    set_raw(value.raw());
    return *this;
  }

  constexpr int to_int() const { return static_cast<int>(raw()); }
  constexpr unsigned to_uint() const { return static_cast<unsigned>(raw()); }
  constexpr long to_long() const { return static_cast<long>(raw()); }
  constexpr unsigned long to_ulong() const { return static_cast<unsigned long>(raw()); }
  constexpr long long to_int64() const { return static_cast<long long>(raw()); }
  constexpr unsigned long long to_uint64() const { return static_cast<unsigned long long>(raw()); }

  // Xilinx' own versions of these are surprising (a reduction omits the top bit, |= ignores the bounds).
  __attribute__((unavailable("copy the range into an ap_uint first"))) bool and_reduce() const;
  __attribute__((unavailable("copy the range into an ap_uint first"))) bool or_reduce() const;
  __attribute__((unavailable("copy the range into an ap_uint first"))) bool xor_reduce() const;
};

template <int W, bool S>
struct ap_bit_ref {
  ap_int_base<W, S>& number;
  int index;

  constexpr ap_bit_ref(ap_int_base<W, S>& of, int i) : number(of), index(i) {}
  constexpr ap_bit_ref(const ap_bit_ref&) = default;

  constexpr int length() const { return 1; }
  constexpr bool to_bool() const { return number.get_bit(index); }
  constexpr bool get() const { return to_bool(); }
  constexpr operator bool() const { return to_bool(); }
  constexpr bool operator~() const { return !to_bool(); }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr const ap_bit_ref& operator=(const T& value) const {
    number.set_bit(index, ap_detail::operand<T>::raw(value) != 0);
    return *this;
  }
  constexpr const ap_bit_ref& operator=(const ap_bit_ref& value) const {
    number.set_bit(index, value.to_bool());
    return *this;
  }
};

// Two numbers side by side. High and Low are ap_int_base<W, S>& or one of the reference classes by value.
template <typename High, typename Low>
struct ap_concat_ref {
  using HighOperand = ap_detail::operand<std::remove_reference_t<High>>;
  using LowOperand = ap_detail::operand<std::remove_reference_t<Low>>;
  static constexpr int width = HighOperand::width + LowOperand::width;
  using Bits = ap_detail::ubits<width>;

  High high;
  Low low;

  constexpr ap_concat_ref(High h, Low l) : high(h), low(l) {}
  constexpr ap_concat_ref(const ap_concat_ref&) = default;

  constexpr int length() const { return HighOperand::length(high) + LowOperand::length(low); }
  constexpr Bits raw() const {
    return (static_cast<Bits>(HighOperand::raw(high)) << LowOperand::length(low)) |
           static_cast<Bits>(LowOperand::raw(low));
  }
  constexpr ap_uint<width> get() const { return ap_detail::from_raw<width, false>(raw()); }
  constexpr operator unsigned long long() const { return static_cast<unsigned long long>(raw()); }

  template <typename Part, typename Operand>
  static constexpr void assign(Part& part, Bits bits) {
    if constexpr (Operand::is == ap_detail::kind::integer) {
      part.V = static_cast<ap_detail::ubits<Operand::width>>(bits);
    } else if constexpr (Operand::is == ap_detail::kind::bit) {
      part.number.set_bit(part.index, static_cast<bool>(bits & 1));
    } else {
      part.set_raw(static_cast<ap_detail::ubits<Operand::width>>(bits));
    }
  }
  constexpr void set_raw(Bits bits) const {
    ap_concat_ref& self = const_cast<ap_concat_ref&>(*this);
    assign<std::remove_reference_t<High>, HighOperand>(self.high, bits >> LowOperand::length(low));
    assign<std::remove_reference_t<Low>, LowOperand>(self.low, bits & ap_detail::ones<width>(LowOperand::length(low)));
  }
  template <typename T, std::enable_if_t<ap_detail::is_operand<T>, int> = 0>
  constexpr const ap_concat_ref& operator=(const T& value) const {
    set_raw(ap_detail::extended<width>(value));
    return *this;
  }
  constexpr const ap_concat_ref& operator=(const ap_concat_ref& value) const {
    set_raw(value.raw());
    return *this;
  }
};

namespace ap_detail {

// Numbers are held by reference in a concatenation, so that it can be assigned to.
template <typename T, kind K = operand<T>::is>
struct concat_part {
  using type = T;
  static constexpr T of(const T& value) { return value; }
};
template <typename T>
struct concat_part<T, kind::integer> {
  using type = ap_int_base<operand<T>::width, operand<T>::is_signed>&;
  static constexpr type of(const T& value) { return const_cast<T&>(value); }
};

}  // namespace ap_detail

template <typename A, typename B, std::enable_if_t<ap_detail::has_concatenation<A, B>, int> = 0>
constexpr auto operator,(const A& high, const B& low) {
  using namespace ap_detail;
  if constexpr (either<A, B>(kind::native)) {
    constexpr int W = operand<A>::width + operand<B>::width;
    return from_raw<W, false>(static_cast<ubits<W>>(operand<A>::raw(high)) << operand<B>::length(low) |
                              static_cast<ubits<W>>(operand<B>::raw(low)));
  } else {
    return ap_concat_ref<typename concat_part<A>::type, typename concat_part<B>::type>(concat_part<A>::of(high),
                                                                                       concat_part<B>::of(low));
  }
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator+(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::sum, D::any, R::sum, R::any>(ap_detail::extended<R::sum>(a) +
                                                                ap_detail::extended<R::sum>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator-(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::sum, true, R::sum, true>(ap_detail::extended<R::sum>(a) -
                                                            ap_detail::extended<R::sum>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator*(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::product, D::any, R::product, R::any>(ap_detail::extended<R::product>(a) *
                                                                        ap_detail::extended<R::product>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator&(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::logic, D::any, R::logic, R::any>(ap_detail::extended<R::logic>(a) &
                                                                    ap_detail::extended<R::logic>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator|(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::logic, D::any, R::logic, R::any>(ap_detail::extended<R::logic>(a) |
                                                                    ap_detail::extended<R::logic>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator^(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::logic, D::any, R::logic, R::any>(ap_detail::extended<R::logic>(a) ^
                                                                    ap_detail::extended<R::logic>(b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator/(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::quotient, D::any, R::quotient, R::any>(ap_detail::divided<R::quotient, false>(a, b));
}

template <typename A, typename B, ap_detail::if_operator<A, B> = 0>
constexpr auto operator%(const A& a, const B& b) {
  using R = ap_detail::result<A, B>;
  using D = ap_detail::declared<A, B>;
  return ap_detail::as_declared<D::remainder, D::sa, R::remainder, R::sa>(ap_detail::divided<R::remainder, true>(a, b));
}

// The result of a shift has the left operand's type; a built-in left operand shifts as in C.
template <typename A, typename B, std::enable_if_t<ap_detail::has_shift<A, B>, int> = 0>
constexpr auto operator<<(const A& a, const B& b) {
  using O = ap_detail::operand<A>;
  constexpr bool sign =
      ap_detail::operand<B>::is == ap_detail::kind::integer ? ap_detail::declared_sign<A>::value : O::is_signed;
  return ap_detail::from_raw<O::width, sign>(
      ap_detail::shift<O::width, O::is_signed>(O::raw(a), ap_detail::shift_of(b), true));
}

template <typename A, typename B, std::enable_if_t<ap_detail::has_shift<A, B>, int> = 0>
constexpr auto operator>>(const A& a, const B& b) {
  using O = ap_detail::operand<A>;
  constexpr bool sign =
      ap_detail::operand<B>::is == ap_detail::kind::integer ? ap_detail::declared_sign<A>::value : O::is_signed;
  return ap_detail::from_raw<O::width, sign>(
      ap_detail::shift<O::width, O::is_signed>(O::raw(a), ap_detail::shift_of(b), false));
}

template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator==(const A& a, const B& b) {
  return ap_detail::equal(a, b);
}
template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator!=(const A& a, const B& b) {
  return !ap_detail::equal(a, b);
}
template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator<(const A& a, const B& b) {
  return ap_detail::less(a, b);
}
template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator>(const A& a, const B& b) {
  return ap_detail::less(b, a);
}
template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator<=(const A& a, const B& b) {
  return !ap_detail::less(b, a);
}
template <typename A, typename B, ap_detail::if_comparison<A, B> = 0>
constexpr bool operator>=(const A& a, const B& b) {
  return !ap_detail::less(a, b);
}
