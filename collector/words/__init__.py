"""What people read: texts in English and Chinese, and how each language says numbers, times and alerts."""
