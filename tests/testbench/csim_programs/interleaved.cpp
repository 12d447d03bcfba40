// Arguments: seed. Define ODD_DEPTH: the depth of the stream that must hold a block's odd numbers but the last (7).
// too few).
#include "dataflow_fibers.h"
#include "processes.h"

int main(int, char** arguments) {
  constexpr int kBlocks = 100;
  constexpr int kBlock = 8;
  long sum = 0;
  {
    hls::stream<Word, 4> numbers("numbers");
    hls::stream<Word> even("even");
    hls::stream<Word, ODD_DEPTH> odd("odd");
    hls::stream<Word, 3> sums("sums");
    zs::Fibers fibers(std::strtoull(arguments[1], nullptr, 10));
    fibers.add("source", [&] { count_up(0, 2 * kBlocks * kBlock, numbers); });
    fibers.add_restarting("split", [&] { split(2, numbers, even, odd); });
    fibers.add_restarting("add_pairs", [&] { add_pairs(kBlock, even, odd, sums); });
    fibers.add("host", [&] {
      for (int i = 0; i < kBlocks * kBlock; ++i) sum += sums.read().to_int();
    });
    if (!fibers.run()) return zs::kDeadlockExitCode;
  }
  std::printf("sum %ld\n", sum);
  zs::stream_report(stdout);
  return sum == 1279200 ? 0 : 1;
}
