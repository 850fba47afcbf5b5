"""A report to take away: inputs collected from jobs, pages rendered from them, checked again."""
