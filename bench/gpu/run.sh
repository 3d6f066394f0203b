#!/usr/bin/env bash
# Validates and times the CUDA engine on this machine's GPU: builds papo_gpu for it and runs the stages.
# Needs nvcc, cmake and g++; compute-sanitizer, nvidia-smi and Python with PyTorch are used where they are found.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'TEXT'
bench/gpu/run.sh [options]            (npm run gpu -- [options] prints a table as well)
  --quick              about 3 minutes instead of 8: fewer shapes, smaller tensors, fewer rounds
  --stages LIST        of correctness,sanitizer,determinism,timing,peers (all)
  --device N           (0)
  --build DIR          (build/gpu)
  --results DIR        where the JSON goes (bench/results if all stages ran in full, else only the build directory)
  --simulated          tiny shapes on the simulated device: tries the command itself, writes no results
  -- ARGS              more for papo_gpu, such as --shape 100x31999:float16 --seed 7
TEXT
}

quick=
stages=correctness,sanitizer,determinism,timing,peers
device=0
build=$root/build/gpu
results=
simulated=
extra=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=--quick ;;
    --stages) stages=${2:?--stages needs a list}; shift ;;
    --device) device=${2:?--device needs a number}; shift ;;
    --build) build=${2:?--build needs a folder}; shift ;;
    --results) results=${2:?--results needs a folder}; shift ;;
    --simulated) simulated=yes ;;
    -h | --help) usage; exit 0 ;;
    --) shift; extra=("$@"); break ;;
    *) echo "no option called $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
wanted() { case ",$stages," in *",$1,"*) true ;; *) false ;; esac; }
for stage in ${stages//,/ }; do
  case $stage in
    correctness | sanitizer | determinism | timing | peers) ;;
    *) echo "no stage called $stage" >&2; exit 2 ;;
  esac
done
have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '\n=== %s (%d s)\n' "$1" "$SECONDS"; }
mode=${quick:+quick}
mode=${mode:-full}
whole=yes
for stage in correctness sanitizer determinism timing peers; do wanted $stage || whole=; done
if [ "$mode" = full ] && [ -n "$whole" ] && [ ${#extra[@]} = 0 ]; then results=${results:-$root/bench/results}; fi
SECONDS=0
failed=()

# ---- build -----------------------------------------------------------------------------------------------------

say "build"
options=(-DCMAKE_BUILD_TYPE=Release -DPAPO_BUILD_ADDON=OFF -DPAPO_BUILD_TESTS=OFF -DPAPO_BUILD_GPU=ON -DPAPO_WERROR=OFF)
if [ -n "$simulated" ]; then
  options+=(-DPAPO_WITH_CUDA=SHIM)
  target=papo_gpu_simulated
  program=$build/bench/gpu/simulated/papo_gpu_simulated
else
  nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
  [ -x "$nvcc" ] || { echo "no nvcc: put it on PATH or set CUDACXX" >&2; exit 2; }
  export CUDACXX=$nvcc
  # Only this machine's own architecture: what ships is compiled elsewhere.
  architectures=${PAPO_CUDA_ARCHITECTURES:-}
  if [ -z "$architectures" ] && have nvidia-smi; then
    architectures=$(nvidia-smi -i "$device" --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -dc '0-9')
    architectures=${architectures:+$architectures-real}
  fi
  options+=(-DPAPO_WITH_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=${architectures:-native}")
  target=papo_gpu
  program=$build/bench/gpu/papo_gpu
fi
if have ninja; then options+=(-G Ninja); fi
jobs=${PAPO_JOBS:-$(nproc)}
mkdir -p "$build"
if ! { cmake -S "$root" -B "$build" "${options[@]}" && cmake --build "$build" --target "$target" -j "$jobs"; } \
  >"$build/build.log" 2>&1; then
  tail -40 "$build/build.log" >&2
  echo "papo_gpu could not be built; the whole log is $build/build.log" >&2
  exit 2
fi

# ---- stages ----------------------------------------------------------------------------------------------------

parts=$build/parts
batch=$build/batch
rm -rf "$parts" "$batch"
mkdir -p "$parts/after" "$batch"
extent=${quick:---full}
out=(--out "$parts")
if [ -n "$simulated" ]; then
  extent=--tiny
  out=()
fi
papo_gpu() { "$program" --device "$device" "$@"; }
# Says which GPU it is, or why there is none.
papo_gpu --stages none || exit 2

clocks=
rm -f "$build/clocks.csv"
start_clocks() {
  if [ -n "$simulated" ] || ! have nvidia-smi; then return; fi
  nvidia-smi -i "$device" -l 1 --format=csv,noheader,nounits \
    --query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu >"$build/clocks.csv" 2>/dev/null &
  clocks=$!
}
stop_clocks() { if [ -n "$clocks" ]; then kill "$clocks" 2>/dev/null; wait "$clocks" 2>/dev/null; clocks=; fi; }
trap stop_clocks EXIT

native=()
for stage in correctness determinism; do
  if wanted $stage; then native+=("$stage"); fi
done
if [ ${#native[@]} -gt 0 ]; then
  list=$(IFS=,; echo "${native[*]}")
  say "$list"
  papo_gpu "$extent" --stages "$list" "${out[@]}" "${extra[@]}" || failed+=("$list")
fi

# Small shapes under each tool; one that cannot work here (some virtual machines) says so and is left out.
if wanted sanitizer && [ -z "$simulated" ]; then
  say "sanitizer"
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  found=()
  if [ -x "$sanitizer" ]; then
    for tool in memcheck racecheck initcheck; do
      log=$build/$tool.log
      begin=$SECONDS
      timeout "${PAPO_SANITIZER_SECONDS:-100}" "$sanitizer" --tool "$tool" --error-exitcode 9 \
        "$program" --device "$device" --small --stages correctness,determinism >"$log" 2>&1
      status=$?
      summary=$(grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$log" | tail -1 | sed 's/^=* *//')
      case $status in
        0) outcome=clean ;;
        124) outcome="stopped after $((SECONDS - begin)) s" ;;
        *)
          if [ -z "$summary" ] || grep -qi 'device not supported' "$log"; then
            outcome="not usable here: $(grep -m1 -iE 'error|not supported' "$log" | sed 's/^=* *//' | tr -d '"\\' | cut -c1-120)"
          else
            outcome="failed"
            failed+=("$tool")
            grep -m5 -E '^=========' "$log"
          fi
          ;;
      esac
      printf '  %-10s %s; %s (%d s)\n' "$tool" "$outcome" "${summary:-no summary}" $((SECONDS - begin))
      found+=("\"$tool\": {\"outcome\": \"$outcome\", \"summary\": \"$summary\", \"seconds\": $((SECONDS - begin))}")
    done
  else
    echo "  skipped: no compute-sanitizer"
    found=('"skipped": "no compute-sanitizer"')
  fi
  (IFS=,; echo "{${found[*]}}") >"$parts/sanitizer.json"
fi

if wanted timing; then
  say "timing"
  start_clocks
  papo_gpu "$extent" --stages timing --export "$batch" "${out[@]}" "${extra[@]}" || failed+=(timing)
  stop_clocks
fi

if wanted peers && [ -z "$simulated" ]; then
  say "peers"
  python=${PYTHON:-python3}
  if "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    [ -e "$batch/batch.json" ] || papo_gpu --stages none --export "$batch"
    timeout "${PAPO_PEERS_SECONDS:-200}" "$python" -B "$here/peers.py" --batch "$batch" --device "$device" \
      --out "$parts/peers.json" --timing "$parts/timing.json" $quick || failed+=(peers)
    # The engine once more, so that both stand on either side of the others.
    if wanted timing; then
      papo_gpu --quick --headline --stages timing --out "$parts/after" || failed+=("timing after the peers")
    fi
  else
    echo "  skipped: $python has no PyTorch that sees a GPU"
  fi
fi

# ---- one file --------------------------------------------------------------------------------------------------

# A JSON value from a file, or null.
part() { if [ -s "$1" ]; then cat "$1"; else echo null; fi; }
text() { printf '"%s"' "$(printf '%s' "$1" | tr -d '"\\' | tr '\n' ' ')"; }
# Least, median and most of one column of the clocks.
column() {
  cut -d, -f"$1" "$build/clocks.csv" 2>/dev/null | tr -d ' ' | grep -E '^[0-9.]+$' | sort -n |
    awk '{ v[NR] = $1 } END { if (NR) printf "[%s, %s, %s]", v[1], v[int((NR + 1) / 2)], v[NR]; else printf "null" }'
}

if [ -z "$simulated" ] && [ -s "$parts/machine.json" ]; then
  commit=${PAPO_COMMIT:-}
  if [ -z "$commit" ]; then
    commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
    [ -z "$(git -C "$root" status --porcelain 2>/dev/null)" ] || commit+=+
  fi
  driver=
  if have nvidia-smi; then
    driver=$(nvidia-smi -i "$device" --query-gpu=driver_version --format=csv,noheader 2>/dev/null)
  fi
  cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -1)
  json=$build/result.json
  {
    echo '{'
    echo "  \"date\": $(text "$(date +%F)"),"
    echo "  \"commit\": $(text "$commit"),"
    echo "  \"mode\": $(text "$mode"),"
    echo "  \"stages\": $(text "$stages"),"
    echo "  \"failed\": $(text "${failed[*]:-}"),"
    echo "  \"seconds\": $SECONDS,"
    echo "  \"system\": {\"kernel\": $(text "$(uname -sr)"), \"cpu\": $(text "$cpu"), \"processors\": $(nproc)," \
      "\"driver\": $(text "$driver"), \"nvcc\": $(text "$("$nvcc" --version | sed -n 's/.*release \([^,]*\).*/\1/p')")},"
    echo "  \"clocks\": {\"smMhz\": $(column 1), \"memoryMhz\": $(column 2), \"watts\": $(column 3), \"celsius\": $(column 4)},"
    for name in machine correctness sanitizer determinism timing peers; do
      echo "  \"$name\": $(part "$parts/$name.json"),"
    done
    echo "  \"timingAfterPeers\": $(part "$parts/after/timing.json")"
    echo '}'
  } >"$json"
  echo
  echo "figures: $json"
  if [ -n "$results" ]; then
    machine=$(sed -n 's/.*"gpu": "\([^"]*\)".*/\1/p' "$parts/machine.json" | tr 'A-Z ' 'a-z-' | tr -dc 'a-z0-9-')
    mkdir -p "$results"
    cp "$json" "$results/gpu-$(date +%F)-$machine.json"
    echo "written: bench/results/gpu-$(date +%F)-$machine.json"
  fi
fi

echo
if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]} ($SECONDS s)"
  exit 1
fi
echo "done, nothing failed ($SECONDS s)"
