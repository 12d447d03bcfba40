// Arguments: how many of the 16 numbers the source sends; fewer than 16 leave the next process waiting.
#include <cstdio>
#include <cstdlib>

#include "processes.h"

int main(int, char** arguments) {
  {
    hls::stream<Word, 4> numbers("numbers");
    hls::stream<Word> even("even"), odd("odd"), sums("sums");
    count_up(0, std::atoi(arguments[1]), numbers);
    split(16, numbers, even, odd);
    add_pairs(8, even, odd, sums);
    for (int i = 0; i < 8; ++i) {
      const int got = sums.read().to_int();
      if (got != 4 * i + 1) {
        std::printf("MISMATCH layer=pairs image=0 channel=0 row=0 column=%d expected=%d got=%d\n", i, 4 * i + 1, got);
        return 1;
      }
    }
  }
  zs::stream_report(stdout);
  return 0;
}
