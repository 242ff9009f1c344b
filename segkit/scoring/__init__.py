"""Put any customer into the segments of a frozen model: here, in SQL, in Arrow batches, on Spark."""
