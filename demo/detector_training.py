def make_detector(folder): raise NotImplementedError
