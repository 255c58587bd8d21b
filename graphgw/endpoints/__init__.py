"""Operations as REST endpoints: a request becomes variables, data becomes an answer."""
