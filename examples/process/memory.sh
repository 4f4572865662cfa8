# Says {"available": …, "cached": …} in MiB, every second.
while sleep 1; do
  awk '/^MemAvailable/ { available = $2 } /^Cached/ { cached = $2 }
       END { printf "{\"available\": %d, \"cached\": %d}\n", available / 1024, cached / 1024 }' /proc/meminfo
done
