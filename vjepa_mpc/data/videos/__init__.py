"""Video files, read and written picture by picture with PyAV."""
