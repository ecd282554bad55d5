from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.worklist.views import actions, board, booking, why

app_name = "worklist"
see_orders = allows(Action.VIEW, Noun.ORDER)
see_steps = allows(Action.VIEW, Noun.STEP)
see_appointments = allows(Action.VIEW, Noun.APPOINTMENT)
place_order = allows(Action.CREATE, Noun.ORDER)
book = allows(Action.CREATE, Noun.APPOINTMENT)
change_appointment = allows(Action.CHANGE, Noun.APPOINTMENT)
change_step = allows(Action.CHANGE, Noun.STEP)

urlpatterns = [
    path("board/", see_steps(board.Board.as_view()), name="board"),
    path("why/", see_steps(why.Why.as_view()), name="why"),
    path("calendar/", see_appointments(board.DayCalendar.as_view()), name="day-calendar"),
    path("rooms/<int:pk>/", see_steps(board.Room.as_view()), name="room"),
    path(
        "patients/<int:pk>/order/", place_order(booking.OrderCreate.as_view()), name="order-create"
    ),
    path("patients/<int:pk>/orders/", see_orders(booking.patient_orders), name="patient-orders"),
    path("free-times/", book(booking.free_times), name="free-times"),
    path("orders/<int:pk>/book/", book(booking.Book.as_view()), name="book"),
    path("orders/<int:pk>/steps/", see_appointments(booking.order_steps), name="order-steps"),
    path("orders/<int:pk>/cancel/", change_appointment(booking.cancel_order), name="cancel-order"),
    path("appointments/<int:pk>/move/", change_appointment(booking.Move.as_view()), name="move"),
    path(
        "appointments/<int:pk>/cancel/",
        change_appointment(booking.cancel_appointment),
        name="cancel",
    ),
    path("appointments/<int:pk>/arrive/", change_appointment(actions.arrive), name="arrive"),
    path("appointments/<int:pk>/missed/", change_appointment(actions.miss), name="miss"),
    path("steps/<int:pk>/start/", change_step(actions.start), name="start"),
    path("steps/<int:pk>/complete/", change_step(actions.complete), name="complete"),
    path("steps/<int:pk>/discontinue/", change_step(booking.discontinue), name="discontinue"),
]
