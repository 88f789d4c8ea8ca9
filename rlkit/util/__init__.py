"""What every floor uses: records, errors, files, random streams, signals, times."""
