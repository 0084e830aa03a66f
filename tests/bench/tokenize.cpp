// Encodes the documents of a file on some threads, for tokenizer.py.
//
//   tokenize TOKENIZER TEXT THREADS ROUNDS [IDS]
//
// Documents stand between bytes 0x1E. Prints one JSON object: the seconds of opening the tokenizer,
// and of each round by the wall and by the processors. IDS gets all ids in order, 32 bits each.

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

constexpr std::size_t kMostText = std::size_t{4} << 30;
constexpr std::size_t kAtOnce = 256 << 10;  // bytes that a thread takes

double now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Documents, some to a portion.
std::vector<std::vector<std::string_view>> portions_of(std::string_view text) {
    std::vector<std::vector<std::string_view>> out(1);
    std::size_t taken = 0;
    while (!text.empty()) {
        std::size_t end = std::min(text.find('\x1E'), text.size());
        if (taken > kAtOnce) {
            out.emplace_back();
            taken = 0;
        }
        if (end > 0)
            out.back().push_back(text.substr(0, end));
        taken += end;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

int run(int count, char** words) {
    double start = now(CLOCK_MONOTONIC);
    Tokenizer tokenizer = Tokenizer::read(words[1]);
    double opened = now(CLOCK_MONOTONIC) - start;
    std::string text = read_file(words[2], kMostText);
    std::vector<std::vector<std::string_view>> portions = portions_of(text);
    int threads = std::atoi(words[3]), rounds = std::atoi(words[4]);
    EncodeOptions options;
    options.add_special = false;
    std::vector<EncodeScratch> scratches(static_cast<std::size_t>(threads));
    std::vector<IdBuffer> ids(portions.size());
    std::string wall, processor;
    // Threads stay from round to round, as those of data.tokenize do from block to block: until a
    // new one has a processor of its own, such a round may be half over.
    std::atomic<std::size_t> next = 0;
    std::barrier together(threads);
    auto work = [&](EncodeScratch& scratch) {
        together.arrive_and_wait();
        for (std::size_t i = next++; i < portions.size(); i = next++) {
            ids[i].clear();
            for (std::string_view document : portions[i])
                tokenizer.encode(document, options, scratch, ids[i]);
        }
        together.arrive_and_wait();
    };
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < scratches.size(); ++i)
        others.emplace_back([&, i] {
            for (int round = 0; round < rounds; ++round)
                work(scratches[i]);
        });
    for (int round = 0; round < rounds; ++round) {
        next = 0;
        double begin = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
        work(scratches[0]);
        const char* comma = round == 0 ? "" : ", ";
        wall += comma + std::to_string(now(CLOCK_MONOTONIC) - begin);
        processor += comma + std::to_string(now(CLOCK_PROCESS_CPUTIME_ID) - used);
    }
    for (std::thread& other : others)
        other.join();
    if (count > 5) {
        std::FILE* file = std::fopen(words[5], "wb");
        if (!file)
            throw Error({words[5]}, "cannot be written");
        for (const IdBuffer& portion : ids)
            std::fwrite(portion.data(), 4, portion.size(), file);
        std::fclose(file);
    }
    std::printf("{\"open\": %f, \"wall\": [%s], \"processor\": [%s]}\n",
                opened,
                wall.c_str(),
                processor.c_str());
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count < 5 || std::atoi(words[3]) < 1 || std::atoi(words[4]) < 1) {
        std::fprintf(stderr, "usage: tokenize TOKENIZER TEXT THREADS ROUNDS [IDS]\n");
        return 2;
    }
    try {
        return run(count, words);
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.render().c_str());
        return error.exit_code();
    }
}
