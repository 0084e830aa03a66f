#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// Gives a fuzz target every file of its corpus, so that what fuzzing once found is an ordinary
// test. A crash or an abort ends the program before its last line; its name is the last one
// printed.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    if (argc < 2) {
        std::fputs("replay FOLDER|FILE...\n", stderr);
        return 2;
    }
    std::vector<fs::path> files;
    for (int i = 1; i < argc; i++) {
        if (!fs::is_directory(argv[i])) {
            files.emplace_back(argv[i]);
            continue;
        }
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(argv[i]))
            if (entry.is_regular_file())
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    for (const fs::path& path : files) {
        std::printf("%s\n", path.filename().c_str());
        std::ifstream file(path, std::ios::binary);
        if (!file) {
            std::printf("0 passed, 1 failed\n");
            return 1;
        }
        std::string text(std::istreambuf_iterator<char>(file), {});
        // A copy of its own size, so that a sanitizer sees one byte too far.
        std::vector<std::uint8_t> bytes(text.begin(), text.end());
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%zu passed, %d failed\n", files.size(), files.empty() ? 1 : 0);
    return files.empty() ? 1 : 0;
}
