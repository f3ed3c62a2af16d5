"""A runbook's procedures, carried out as they are written: confined, journalled, judged."""
