"""The four example services behind the example graph, as separate processes.

=======================  ========  ====  ===========================================
``python -m backends.``  speaks    port  contract
=======================  ========  ====  ===========================================
``user``                 REST      4101  ``GET /users?ids=u1,u2``, ``GET /users/u1`` ...
``product``              REST      4102  ``GET /products?category=books`` ...
``order``                gRPC      4103  ``backends/protos/order.proto``
``notification``         gRPC      4104  ``backends/protos/notification.proto``
=======================  ========  ====  ===========================================

Ids are a letter and a number that counts from 1 in the order of creation: ``u1000`` is
the last seeded user, ``p1000`` the last product, ``o5000`` the last order and ``n3000``
the last notification. All services seed the same rows, each into a database of its own
that lives in memory unless ``--database`` names a file.

What a service was asked is counted: ``GET /_calls`` and ``DELETE /_calls`` over REST,
``shop.calls.v1.CallsService`` over gRPC.
"""
