// Three small processes: a source of consecutive numbers, one that splits them by parity, one that adds pairs.
#pragma once
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_uint<32> Word;

inline void count_up(int first, int count, hls::stream<Word>& numbers) {
  for (int i = 0; i < count; ++i) numbers.write(Word(first + i));
}

inline void split(int count, hls::stream<Word>& numbers, hls::stream<Word>& even, hls::stream<Word>& odd) {
  for (int i = 0; i < count; ++i) {
    const Word number = numbers.read();
    if (number[0] == 0)
      even << number;
    else
      odd << number;
  }
}

// Reads all even numbers of a block before its odd ones: the odd stream must hold `block` words.
inline void add_pairs(int block, hls::stream<Word>& even, hls::stream<Word>& odd, hls::stream<Word>& sums) {
  Word held[64];
  for (int i = 0; i < block; ++i) even.read(held[i]);
  for (int i = 0; i < block; ++i) {
    Word number;
    odd >> number;
    sums.write(held[i] + number);
  }
}
