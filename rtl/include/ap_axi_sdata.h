// hls::axis for the C++-to-SystemVerilog compiler: a word of an AXI4-Stream with its side channels.
//
// At a port of the top function each member is an AXI signal; between processes they travel as one word, from the
// lowest bit on data, keep, strb, user, last, id, dest. User, id and dest of 0 bits have no signal: the member is
// there, for code that copies it, and is 0 when it has been read.
#pragma once

#include "ap_int.h"
#include "hls_stream.h"

namespace hls {

template <typename T, __SIZE_TYPE__ WUser = 0, __SIZE_TYPE__ WId = 0, __SIZE_TYPE__ WDest = 0>
struct axis {
  static constexpr int kBytes = (rtl::transport<T>::bits + 7) / 8;

  T data;
  ap_uint<kBytes> keep;
  ap_uint<kBytes> strb;
  ap_uint<WUser ? WUser : 1> user;
  ap_uint<1> last;
  ap_uint<WId ? WId : 1> id;
  ap_uint<WDest ? WDest : 1> dest;

  T get_data() const { return data; }
  ap_uint<kBytes> get_keep() const { return keep; }
  ap_uint<kBytes> get_strb() const { return strb; }
  ap_uint<WUser ? WUser : 1> get_user() const { return user; }
  ap_uint<1> get_last() const { return last; }
  ap_uint<WId ? WId : 1> get_id() const { return id; }
  ap_uint<WDest ? WDest : 1> get_dest() const { return dest; }

  void set_data(const T& value) { data = value; }
  void set_keep(const ap_uint<kBytes>& value) { keep = value; }
  void set_strb(const ap_uint<kBytes>& value) { strb = value; }
  void set_user(const ap_uint<WUser ? WUser : 1>& value) { user = value; }
  void set_last(const ap_uint<1>& value) { last = value; }
  void set_id(const ap_uint<WId ? WId : 1>& value) { id = value; }
  void set_dest(const ap_uint<WDest ? WDest : 1>& value) { dest = value; }

  // Every byte of the data counts.
  void keep_all() {
    keep = -1;
    strb = -1;
  }
};

}  // namespace hls

template <__SIZE_TYPE__ WData, __SIZE_TYPE__ WUser, __SIZE_TYPE__ WId, __SIZE_TYPE__ WDest>
using ap_axis = hls::axis<ap_int<WData>, WUser, WId, WDest>;
template <__SIZE_TYPE__ WData, __SIZE_TYPE__ WUser, __SIZE_TYPE__ WId, __SIZE_TYPE__ WDest>
using ap_axiu = hls::axis<ap_uint<WData>, WUser, WId, WDest>;

namespace rtl {

template <typename T, __SIZE_TYPE__ WUser, __SIZE_TYPE__ WId, __SIZE_TYPE__ WDest>
struct transport<hls::axis<T, WUser, WId, WDest>> {
  using Axis = hls::axis<T, WUser, WId, WDest>;
  using Data = transport<T>;
  using Sides = sides<Data::bits, int(WUser), int(WId), int(WDest)>;
  static constexpr int keep = Data::bits, strb = keep + Axis::kBytes, user = strb + Axis::kBytes;
  static constexpr int last = user + int(WUser), id = last + 1, dest = id + int(WId), bits = dest + int(WDest);
  using Word = unsigned _BitInt(bits);

  static Word pack(const Axis& value) {
    Word word = Data::pack(value.data);
    word |= Word(value.keep.V) << keep | Word(value.strb.V) << strb | Word(value.last.V) << last;
    if constexpr (WUser > 0) word |= Word(value.user.V) << user;
    if constexpr (WId > 0) word |= Word(value.id.V) << id;
    if constexpr (WDest > 0) word |= Word(value.dest.V) << dest;
    return word;
  }
  static void unpack(Word word, Axis& value) {
    Data::unpack(typename Data::Word(word), value.data);
    take(word, keep, value.keep);
    take(word, strb, value.strb);
    take(word, last, value.last);
    value.user = 0;
    value.id = 0;
    value.dest = 0;
    if constexpr (WUser > 0) take(word, user, value.user);
    if constexpr (WId > 0) take(word, id, value.id);
    if constexpr (WDest > 0) take(word, dest, value.dest);
  }

 private:
  template <int W>
  static void take(Word word, int at, ap_uint<W>& part) {
    part.V = static_cast<unsigned _BitInt(W)>(word >> at);
  }
};

}  // namespace rtl
